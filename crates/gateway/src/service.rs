//! One request's way: host, route, session, inspection, upstream, response.
//!
//! Everything that ends the way early is a [`Refusal`]: a status for the client, a word for the log.

use crate::account::Account;
use crate::activity::Activity;
use crate::config::{Config, Limits, Login, NamedBy, Route};
use crate::dispatch::send;
use crate::download::UpstreamBody;
use crate::forwarded::{self, Arrival, ClientScheme, Origin, UpstreamFields};
use crate::head_gate::{check_http2_fields, is_authority, is_target_path};
use crate::headers;
use crate::inspect::watch::Case;
use crate::inspect::{Exchange, RoutePolicy};
use crate::refusal::Refusal;
use crate::reply::{self, Compression, Inspected, Reply};
use crate::route::{Choice, plain_host};
use crate::server::{Contained, Current, Worker};
use crate::session;
use crate::token::Told;
use crate::upgrade;
use crate::upload::{RequestBody, Upload};
use crate::upstream::{Connection, Pool};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request};
use hyper::body::Incoming;
use sekisho_model::Timestamp;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
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
    known_client: Cell<Option<(IpAddr, [u8; 16])>>,
    known_origin: RefCell<Option<(Origin, UpstreamFields)>>,
}

/// A request that is ready for its upstream. Made before anything is awaited, so that what it was made from takes no room
/// while the upstream works.
struct Ready {
    current: Rc<Current>,
    /// `None` once it was sent.
    request: Option<Request<RequestBody>>,
    pool: Rc<Pool>,
    upload: Rc<Upload>,
    login: Option<Arc<Login>>,
    compression: Compression,
    wish: Option<(upgrade::Wish, Contained)>,
}

impl Service {
    pub(crate) fn new(
        worker: Rc<Worker>,
        client: SocketAddr,
        scheme: ClientScheme,
        activity: Arc<Activity>,
    ) -> Rc<Service> {
        Rc::new(Service {
            worker,
            client,
            scheme,
            activity,
            known_client: Cell::new(None),
            known_origin: RefCell::new(None),
        })
    }

    /// Answers one request, always.
    pub(crate) fn serve(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Reply>, Infallible>> {
        let active = self.activity.begin_request(request.version());
        let mut account = Account::open(Arc::clone(&self.worker.shared), active, request.method());
        let mut ready = self.prepare(request, &mut account);
        async move {
            let answer = match &mut ready {
                Ok(ready) => self.answer(ready, &mut account).await,
                Err(refusal) => Err(*refusal),
            };
            Ok(match answer {
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
    }

    /// Reads the request's head and makes it one for the upstream; nothing is sent yet.
    fn prepare(&self, mut request: Request<Incoming>, account: &mut Account) -> Result<Ready, Refusal> {
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
        let contained = if route.continuity { Contained::StayOpen } else { Contained::Close };
        let wish = wish.filter(|_| route.websocket).map(|wish| (wish, contained));
        rewrite_head(&mut head, &host, route, &body);
        current.serving.signed.strip(&mut head.headers);
        self.tell_origin(&mut head.headers, origin);
        if wish.is_some() {
            upgrade::ask(&mut head.headers);
        }
        let request = Some(Request::from_parts(head, body));
        Ok(Ready { current, request, pool, upload, login, compression, wish })
    }

    async fn answer(
        &self,
        ready: &mut Ready,
        account: &mut Account,
    ) -> Result<(Response<Inspected>, Compression), Refusal> {
        let sent = Instant::now();
        match send(&ready.current, &ready.pool, &mut ready.request, &ready.upload).await {
            Ok((mut response, connection)) => {
                account.upstream_answered(sent);
                headers::settle_framing(response.headers_mut()).map_err(|refusal| failed(&ready.upload, refusal))?;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    // Boxed, as it is rare and would take room in every request.
                    let response = Box::pin(self.switch(ready.wish.take(), response, &ready.upload)).await?;
                    return Ok((response, Compression::Off));
                }
                Ok((self.respond(ready, response, connection).await, ready.compression))
            }
            Err(refusal) => Err(failed(&ready.upload, ready.upload.failure().map_or(refusal, Refusal::from))),
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
        head.extensions.clear();
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

    /// Tells the upstream where the request came from. A connection's requests nearly all come from one origin, so that it is
    /// written out once.
    fn tell_origin(&self, headers: &mut HeaderMap, origin: Origin) {
        let mut known = self.known_origin.borrow_mut();
        let (origin, fields) = match known.take() {
            Some((known, fields)) if known == origin => (known, fields),
            _ => {
                let fields = origin.upstream_fields();
                (origin, fields)
            }
        };
        forwarded::set_upstream_headers(headers, &origin, &fields);
        *known = Some((origin, fields));
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
        let client_key = self.client_key(client);
        account.routed(&name, class, client_key);
        let key = &shared.parts.key;
        let told = current.serving.tokens.told(&head.headers, key, || shared.parts.clock.now());
        let by_token = if let Told::Claim(claim) = &told { Some(claim.session) } else { None };
        let token = session::token(&head.headers, &current.serving.config.session);
        Exchange {
            client,
            client_key,
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

    /// The address under the installation's key. A connection's requests nearly all come from one.
    fn client_key(&self, client: IpAddr) -> [u8; 16] {
        match self.known_client.get() {
            Some((known, key)) if known == client => key,
            _ => {
                let key = self.worker.shared.parts.key.client(client);
                self.known_client.set(Some((client, key)));
                key
            }
        }
    }

    fn request_body(&self, current: &Current, body: Incoming, upload: &Rc<Upload>) -> RequestBody {
        RequestBody::new(body, Rc::clone(upload), &current.serving)
    }

    /// Makes of the upstream's answer what the client gets; the head's part of it before anything is awaited.
    fn respond(
        &self,
        ready: &Ready,
        mut response: Response<Incoming>,
        connection: Connection,
    ) -> impl Future<Output = Response<Inspected>> + use<> {
        let serving = &ready.current.serving;
        let mut inspection = ready.upload.finish_inspection();
        if let Some(token) = session::issued(response.headers(), &serving.config.session) {
            let session = self.worker.shared.parts.key.session(token);
            self.activity.carries(Some(session));
            inspection.issued(session);
        }
        let parts = &self.worker.shared.parts;
        let now = || parts.clock.now();
        inspection.signed(serving.signed.told(ready.login.as_ref(), response.headers(), &parts.key, now));
        serving.signed.strip(response.headers_mut());
        let (mut head, body) = response.into_parts();
        headers::strip_hop_by_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        // Among them the reason phrase, which would be written as the upstream wrote it.
        head.extensions.clear();
        let (pool, upload) = (Rc::clone(&ready.pool), Rc::clone(&ready.upload));
        let body = UpstreamBody::new(body, connection, pool, upload, serving.deadlines().response_body_idle);
        inspection.response(Response::from_parts(head, body))
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
            && login.host.as_ref().is_none_or(|wanted| plain_host(host.host()).eq_ignore_ascii_case(wanted))
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
    if head.version == Version::HTTP_2 {
        check_http2(head)?;
    }
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > limits.request_body_bytes_max) {
        return Err(Refusal::BodyTooLarge);
    }
    host(head)
}

/// Holds an HTTP/2 head to what the head gate asks of an HTTP/1 one, as the upstream is spoken to in HTTP/1.1.
fn check_http2(head: &request::Parts) -> Result<(), Refusal> {
    if !is_target_path(head.uri.path_and_query().map_or("", PathAndQuery::as_str)) {
        return Err(Refusal::Target);
    }
    let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    check_http2_fields(fields).map_err(|_reason| Refusal::Field)
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
    match is_authority(authority.as_str().as_bytes()) {
        true => Ok(Some(authority)),
        false => Err(Refusal::Host),
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
