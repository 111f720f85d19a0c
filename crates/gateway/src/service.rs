//! One request's way: host, route, session, inspection, upstream, response.
//!
//! Everything that ends the way early is a [`Refusal`]: a status for the client, a word for the log.

use crate::account::Account;
use crate::activity::Activity;
use crate::config::{Config, Limits, Login, NamedBy, Route};
use crate::dispatch::send;
use crate::download::UpstreamBody;
use crate::forwarded::{self, Arrival, ClientScheme, Origin};
use crate::headers;
use crate::inspect::watch::Case;
use crate::inspect::{Exchange, RoutePolicy};
use crate::refusal::Refusal;
use crate::reply::{self, Compression, Inspected, Reply};
use crate::route::Choice;
use crate::server::{Contained, Current, Worker};
use crate::session;
use crate::token::Told;
use crate::upgrade;
use crate::upload::{RequestBody, Upload};
use crate::upstream::{Connection, Pool};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request};
use hyper::body::Incoming;
use sekisho_model::Timestamp;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Serves the requests of one client connection.
pub(crate) struct Service {
    pub(crate) worker: Rc<Worker>,
    /// The connection's other end, after a PROXY header.
    pub(crate) client: SocketAddr,
    pub(crate) scheme: ClientScheme,
    pub(crate) activity: Arc<Activity>,
}

impl Service {
    /// Answers one request, always.
    pub(crate) async fn serve(&self, request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
        let active = self.activity.begin_request();
        let mut account = Account::open(Arc::clone(&self.worker.shared), active, request.method());
        Ok(match self.answer(request, &mut account).await {
            Ok((response, compression)) => {
                account.answered(response.status(), "passed");
                reply::inspected(response, compression, account)
            }
            Err(refusal) => {
                account.answered(refusal.status(), refusal.name());
                match refusal {
                    Refusal::Contained => reply::suspended(account),
                    _ => reply::page(refusal.status(), account),
                }
            }
        })
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        account: &mut Account,
    ) -> Result<(Response<Inspected>, Compression), Refusal> {
        let current = self.worker.current();
        let wish = upgrade::wish(&mut request);
        let (mut head, body) = request.into_parts();
        let host = check_head(&head, current.serving.limits())?;
        let route = choose_route(&current, host.as_ref(), head.uri.path())?;
        let host = host.unwrap_or_else(|| current.serving.config.upstreams[route.upstream].authority.clone());
        let origin = self.origin(&current, &host, &head);
        let exchange = self.exchange(&current, route, (&origin, &host), &head, account);
        let login = exchange.login.clone();
        self.activity.carries(exchange.session);
        let inspection = self.worker.shared.inspector.begin(&head, exchange)?;

        let upload = Upload::new(inspection);
        let pool = Rc::clone(&current.pools[route.upstream]);
        let body = self.request_body(&current, body, &upload);
        let compression = Compression::wanted(route, &head);
        let wish = wish.filter(|_| route.websocket);
        rewrite_head(&mut head, &host, route, &body);
        current.serving.signed.strip(&mut head.headers);
        forwarded::set_upstream_headers(&mut head.headers, &origin);
        if wish.is_some() {
            upgrade::ask(&mut head.headers);
        }
        let sent = Instant::now();
        match send(&current, &pool, Request::from_parts(head, body), &upload).await {
            Ok((response, connection)) => {
                account.upstream_answered(sent);
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    let contained = if route.continuity { Contained::StayOpen } else { Contained::Close };
                    let wish = wish.map(|wish| (wish, contained));
                    let response = self.switch(wish, response, &upload).await?;
                    return Ok((response, Compression::Off));
                }
                Ok((self.respond((&current, login), response, connection, pool, upload).await, compression))
            }
            Err(refusal) => Err(failed(&upload, upload.failure().map_or(refusal, Refusal::from))),
        }
    }

    /// Passes a 101 through that was asked for; any other one is the upstream's fault.
    async fn switch(
        &self,
        wish: Option<(upgrade::Wish, Contained)>,
        mut response: Response<Incoming>,
        upload: &Upload,
    ) -> Result<Response<Inspected>, Refusal> {
        let upstream = hyper::upgrade::on(&mut response);
        let (mut head, body) = response.into_parts();
        let (Some((wish, contained)), Some(handshake)) = (wish, upgrade::switch(&head)) else {
            return Err(failed(upload, Refusal::UpstreamFailed));
        };
        head.headers = handshake;
        head.version = Version::HTTP_11;
        let response = Response::from_parts(head, UpstreamBody::switched(body));
        let response = upload.finish_inspection().response(response).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.activity.upgraded();
            upgrade::join(&self.worker, wish, upstream, (&self.activity, contained));
        }
        Ok(response)
    }

    /// Where the request came from, as far as its peers are trusted.
    fn origin(&self, current: &Current, host: &Authority, head: &request::Parts) -> Origin {
        let arrival = Arrival { peer: self.client.ip(), scheme: self.scheme, host: Some(host.as_str()) };
        forwarded::origin(arrival, &current.serving.config.trusted_peers, &head.headers)
    }

    /// What the inspection and the account are told of the request.
    fn exchange(
        &self,
        current: &Current,
        route: &Route,
        (origin, host): (&Origin, &Authority),
        head: &request::Parts,
        account: &mut Account,
    ) -> Exchange {
        let shared = &self.worker.shared;
        let client = origin.client();
        let name = route.name.clone().unwrap_or_else(|| shared.shapes.name(head.uri.path()));
        let class = route.name.as_deref().unwrap_or(&route.path_prefix);
        account.routed(&name, class, shared.parts.key.client(client));
        let key = &shared.parts.key;
        let told = current.serving.tokens.told(&head.headers, key, shared.parts.clock.now());
        let by_token = if let Told::Claim(claim) = &told { Some(claim.session) } else { None };
        let token = session::token(&head.headers, &current.serving.config.session);
        Exchange {
            client,
            route: name,
            policy: RoutePolicy {
                inspect: route.inspect,
                continuity: route.continuity,
                compress: route.compress,
                rules: route.rules,
            },
            // Without a session, what the token stands for is one.
            session: token.map(|token| key.session(token)).or(by_token),
            told,
            login: login(&current.serving.config, host, head),
            is_logout: current.serving.config.logout_paths.iter().any(|path| path == head.uri.path()),
            case: case(current, route, head, || shared.parts.clock.now()),
        }
    }

    fn request_body(&self, current: &Current, body: Incoming, upload: &Rc<Upload>) -> RequestBody {
        let bytes_max = current.serving.limits().request_body_bytes_max;
        RequestBody::new(body, Rc::clone(upload), bytes_max, current.serving.deadlines().request_body_idle)
    }

    async fn respond(
        &self,
        (current, login): (&Current, Option<Arc<Login>>),
        mut response: Response<Incoming>,
        connection: Connection,
        pool: Rc<Pool>,
        upload: Rc<Upload>,
    ) -> Response<Inspected> {
        let mut inspection = upload.finish_inspection();
        if let Some(token) = session::issued(response.headers(), &current.serving.config.session) {
            let session = self.worker.shared.parts.key.session(token);
            self.activity.carries(Some(session));
            inspection.issued(session);
        }
        let (key, now) = (&self.worker.shared.parts.key, self.worker.shared.parts.clock.now());
        inspection.signed(current.serving.signed.told(login.as_ref(), response.headers(), key, now));
        current.serving.signed.strip(response.headers_mut());
        let idle_max = current.serving.deadlines().response_body_idle;
        let (mut head, body) = response.into_parts();
        headers::strip_hop_by_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        let body = UpstreamBody::new(body, connection, pool, upload, idle_max);
        let response = Response::from_parts(head, body);
        inspection.response(response).await
    }
}

/// Whether a request names a case that is open, where its route asks for one.
fn case(current: &Current, route: &Route, head: &request::Parts, now: impl FnOnce() -> Timestamp) -> Case {
    let Some(source) = &route.case else { return Case::NotAsked };
    match (source.id(head), &current.serving.open_cases) {
        (None, _) => Case::Missing,
        (Some(_), None) => Case::Open,
        (Some(id), Some(open)) => open.judge(&id, now()),
    }
}

/// The log-in that a request may be.
fn login(config: &Config, host: &Authority, head: &request::Parts) -> Option<Arc<Login>> {
    let is_this = |login: &&Arc<Login>| {
        login.path == head.uri.path()
            && login.host.as_ref().is_none_or(|wanted| host.host().eq_ignore_ascii_case(wanted))
    };
    let has_body = head.method == Method::POST || head.method == Method::PUT;
    // Whom the upstream signs for may come back from elsewhere with a GET, as OIDC has it.
    let may_be = |login: &&Arc<Login>| has_body || matches!(login.by, NamedBy::Signed(_));
    config.logins.iter().filter(may_be).find(is_this).cloned()
}

/// Notes that the upstream gave no response.
fn failed(upload: &Upload, refusal: Refusal) -> Refusal {
    upload.finish_inspection().failed(refusal.status());
    refusal
}

/// The request's host, when its head is acceptable at all.
fn check_head(head: &request::Parts, limits: &Limits) -> Result<Option<Authority>, Refusal> {
    if head.method == Method::CONNECT {
        return Err(Refusal::Method);
    }
    if head.headers.len() > limits.request_headers_max {
        return Err(Refusal::HeaderCount);
    }
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > limits.request_body_bytes_max) {
        return Err(Refusal::BodyTooLarge);
    }
    host(head)
}

/// The authority that the request is for: an absolute target's before the `Host` field (RFC 9112, 3.2.2), which
/// must then say the same in HTTP/2. Exactly one valid `Host` is wanted in HTTP/1.1; HTTP/1.0 may go without, as
/// health checks do, and then means the upstream's own.
fn host(head: &request::Parts) -> Result<Option<Authority>, Refusal> {
    let mut fields = head.headers.get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (None, _) => None,
        (Some(field), None) => Some(Authority::try_from(field.as_bytes()).map_err(|_| Refusal::Host)?),
        (Some(_), Some(_)) => return Err(Refusal::Host),
    };
    let authority = match (head.uri.authority().cloned(), field) {
        (Some(target), Some(field)) if head.version == Version::HTTP_2 && target != field => return Err(Refusal::Host),
        (Some(_), None) if head.version == Version::HTTP_11 => return Err(Refusal::Host),
        (Some(target), _) => target,
        (None, Some(field)) => field,
        (None, None) if head.version == Version::HTTP_10 => return Ok(None),
        (None, None) => return Err(Refusal::Host),
    };
    match authority.as_str().contains('@') || authority.host().is_empty() {
        true => Err(Refusal::Host),
        false => Ok(Some(authority)),
    }
}

fn choose_route<'c>(current: &'c Current, host: Option<&Authority>, path: &str) -> Result<&'c Route, Refusal> {
    let routes = &current.serving.routes;
    match routes.choose(host.map_or("", Authority::host), path) {
        Choice::Route(index) => Ok(routes.route(index)),
        Choice::NoRoute => Err(Refusal::NoRoute),
        Choice::Ambiguous => Err(Refusal::Path),
    }
}

/// Makes the client's head one for the upstream.
fn rewrite_head(head: &mut request::Parts, host: &Authority, route: &Route, body: &RequestBody) {
    let host = HeaderValue::from_str(host.as_str()).expect("an authority is visible ASCII");
    headers::for_upstream(&mut head.headers, &host);
    if route.inspect {
        headers::strip_conditions(&head.method, &mut head.headers);
    }
    if !body.is_empty() && !head.headers.contains_key(CONTENT_LENGTH) {
        // hyper would take a GET of unknown length for one without a body.
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    head.uri = match head.uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') || target.as_str() == "*" => Uri::from(target.clone()),
        Some(target) => Uri::try_from(format!("/{target}")).unwrap_or_default(),
        None => Uri::default(),
    };
    head.version = Version::HTTP_11;
    head.extensions = http::Extensions::new();
}
