//! A page's elements: a small tree over html5ever's parser, which repairs markup as browsers do.
//!
//! Pure. No scripts run, so text that a script would write is not there. Limits keep a hostile page from costing more
//! than its bytes: beyond [`DEPTH_MAX`], [`NODES_MAX`] or [`ATTRIBUTES_MAX`] the rest of the page is left out, and the tree
//! says so.

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, ExpandedName, ParseOpts, QualName, ns, parse_document};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Nested elements; browsers stop at the same depth. What comes after is left out.
pub(crate) const DEPTH_MAX: usize = 512;
/// Attributes of a tag, about: what is counted is what can stand between two of them. From a tag with more on, the page is left
/// out: the parser compares each attribute with all before it, and one tag of a large page would take hours. A comment with as
/// many words is taken for one.
pub(crate) const ATTRIBUTES_MAX: usize = 10_000;
/// Elements and texts of a page; what comes after is left out.
pub(crate) const NODES_MAX: usize = 400_000;
/// The parser is given so many bytes at a time, and the limits are asked in between.
const CHUNK_BYTES: usize = 4096;

/// A node's place in the tree.
pub(crate) type NodeId = usize;

/// The document itself.
pub(crate) const DOCUMENT: NodeId = 0;

/// A parsed page.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// The page was larger than the limits, and its end is missing.
    pub(crate) is_cut: bool,
}

#[derive(Debug, Default)]
struct Node {
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    depth: usize,
    data: Data,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    Other,
    Text(String),
    Element(Rc<QualName>, Vec<(String, String)>),
}

impl Tree {
    /// Parses any text; never fails.
    pub(crate) fn parse(text: &str) -> Tree {
        let sink = Sink { nodes: RefCell::new(vec![Node::default()]), depth: Cell::new(0), steps: Cell::new(0) };
        let mut parser = parse_document(sink, ParseOpts::default());
        let mut rest = text;
        let mut is_cut = false;
        let (mut steps, mut attributes) = (0, 0);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES));
            parser.process(StrTendril::from_slice(chunk));
            rest = after;
            let sink = &parser.tokenizer.sink.sink;
            // No step is taken inside of a tag.
            attributes = if sink.steps.get() == steps { attributes + separators(chunk) } else { 0 };
            steps = sink.steps.get();
            let is_beyond = sink.depth.get() > DEPTH_MAX || sink.nodes.borrow().len() > NODES_MAX;
            if !rest.is_empty() && (is_beyond || attributes > ATTRIBUTES_MAX) {
                is_cut = true;
                break;
            }
        }
        Tree { nodes: parser.finish(), is_cut }
    }

    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id].children
    }

    pub(crate) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id].parent
    }

    /// An element's name; empty for what is none.
    pub(crate) fn name(&self, id: NodeId) -> &str {
        match &self.nodes[id].data {
            Data::Element(name, _) => &name.local,
            _ => "",
        }
    }

    pub(crate) fn attribute(&self, id: NodeId, name: &str) -> Option<&str> {
        let Data::Element(_, attributes) = &self.nodes[id].data else { return None };
        attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, id: NodeId) -> Option<&str> {
        match &self.nodes[id].data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// All nodes below `from` in document order, without recursion; `enter` says whether to look inside one.
    pub(crate) fn walk(&self, from: NodeId, mut enter: impl FnMut(NodeId) -> bool) {
        let mut open: Vec<NodeId> = self.children(from).iter().rev().copied().collect();
        while let Some(id) = open.pop() {
            if enter(id) {
                open.extend(self.children(id).iter().rev());
            }
        }
    }

    /// The first element of a name.
    pub(crate) fn first(&self, name: &str) -> Option<NodeId> {
        let mut found = None;
        self.walk(DOCUMENT, |id| {
            if found.is_none() && self.name(id) == name {
                found = Some(id);
            }
            found.is_none()
        });
        found
    }

    /// All text below an element, as it stands.
    pub(crate) fn text_below(&self, id: NodeId) -> String {
        let mut text = String::new();
        self.walk(id, |id| {
            text.push_str(self.text(id).unwrap_or_default());
            true
        });
        text
    }
}

#[derive(Clone)]
struct Handle {
    id: NodeId,
    name: Rc<QualName>,
}

struct Sink {
    nodes: RefCell<Vec<Node>>,
    /// The deepest node so far.
    depth: Cell<usize>,
    /// How often the parser asked or told of the tree: it does so for each tag and text, never inside of a tag.
    steps: Cell<usize>,
}

impl Sink {
    fn add(&self, data: Data) -> NodeId {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { data, ..Node::default() });
        nodes.len() - 1
    }

    fn detach(&self, id: NodeId) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(parent) = nodes[id].parent.take() {
            // Nodes are detached soon after they were added, so the search begins at the end.
            if let Some(at) = nodes[parent].children.iter().rposition(|child| *child == id) {
                nodes[parent].children.remove(at);
            }
        }
    }

    /// Puts `child` into `parent` before the child `at`.
    fn insert(&self, parent: NodeId, at: usize, child: NodeOrText<Handle>) {
        self.steps.set(self.steps.get() + 1);
        let id = match child {
            NodeOrText::AppendNode(node) => {
                self.detach(node.id);
                node.id
            }
            NodeOrText::AppendText(text) => {
                let mut nodes = self.nodes.borrow_mut();
                let before = at.checked_sub(1).map(|at| nodes[parent].children[at]);
                if let Some(Data::Text(known)) = before.map(|id| &mut nodes[id].data) {
                    known.push_str(&text);
                    return;
                }
                drop(nodes);
                self.add(Data::Text(text.to_string()))
            }
        };
        let mut nodes = self.nodes.borrow_mut();
        let depth = nodes[parent].depth + 1;
        nodes[id].parent = Some(parent);
        nodes[id].depth = depth;
        let at = at.min(nodes[parent].children.len());
        nodes[parent].children.insert(at, id);
        self.depth.set(self.depth.get().max(depth));
    }
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Vec<Node>;
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) -> Vec<Node> {
        self.nodes.into_inner()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        Handle { id: DOCUMENT, name: no_name() }
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        self.steps.set(self.steps.get() + 1);
        target.name.expanded()
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Handle {
        let name = Rc::new(name);
        let attributes = attributes.into_iter().map(|one| (one.name.local.to_string(), one.value.to_string()));
        Handle { id: self.add(Data::Element(Rc::clone(&name), attributes.collect())), name }
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        Handle { id: self.add(Data::Other), name: no_name() }
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        Handle { id: self.add(Data::Other), name: no_name() }
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        let at = self.nodes.borrow()[parent.id].children.len();
        self.insert(parent.id, at, child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, before: &Handle, child: NodeOrText<Handle>) {
        let has_parent = self.nodes.borrow()[element.id].parent.is_some();
        if has_parent { self.append_before_sibling(element, child) } else { self.append(before, child) }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    /// The contents of a template are no text of the page: they hang below a node outside the tree.
    fn get_template_contents(&self, _: &Handle) -> Handle {
        Handle { id: self.add(Data::Other), name: no_name() }
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        one.id == other.id
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        if let NodeOrText::AppendNode(node) = &child {
            self.detach(node.id);
        }
        let place = {
            let nodes = self.nodes.borrow();
            let parent = nodes[sibling.id].parent;
            parent.and_then(|parent| {
                Some((parent, nodes[parent].children.iter().rposition(|child| *child == sibling.id)?))
            })
        };
        if let Some((parent, at)) = place {
            self.insert(parent, at, child);
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, attributes: Vec<Attribute>) {
        if let Data::Element(_, known) = &mut self.nodes.borrow_mut()[target.id].data {
            for one in attributes {
                let name = one.name.local.to_string();
                if !known.iter().any(|(known, _)| *known == name) {
                    known.push((name, one.value.to_string()));
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.id);
    }

    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        let mut nodes = self.nodes.borrow_mut();
        let children = std::mem::take(&mut nodes[node.id].children);
        let depth = nodes[new_parent.id].depth + 1;
        for child in &children {
            nodes[*child].parent = Some(new_parent.id);
            nodes[*child].depth = depth;
        }
        nodes[new_parent.id].children.extend(children);
    }
}

/// What can stand between two attributes.
fn separators(text: &str) -> usize {
    text.bytes().filter(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'')).count()
}

fn no_name() -> Rc<QualName> {
    thread_local! {
        static NONE: Rc<QualName> = Rc::new(QualName::new(None, ns!(), html5ever::LocalName::default()));
    }
    NONE.with(Rc::clone)
}
