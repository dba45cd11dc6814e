//! XML replies as trees, and what the partner WSDL says of their order.
//!
//! Key decision: the WSDL is read by the little that is needed here: the sequence of each complex type, with
//! who may be absent, nil or repeated.
//! Not here: namespaces.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// One element, by local names.
#[derive(Debug, Default, Clone)]
pub struct Node {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    pub text: String,
    pub children: Vec<Node>,
}

impl Node {
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The first element of that name, at any depth.
    #[track_caller]
    pub fn find(&self, name: &str) -> &Node {
        self.seek(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub fn seek(&self, name: &str) -> Option<&Node> {
        let mut inner = self.children.iter();
        inner.find_map(|c| if c.name == name { Some(c) } else { c.seek(name) })
    }

    pub fn names(&self) -> Vec<&str> {
        self.children.iter().map(|c| c.name.as_str()).collect()
    }
}

pub fn parse(text: &str) -> Node {
    let mut reader = Reader::from_str(text);
    let mut stack = vec![Node::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => stack.push(node(&tag)),
            Event::Empty(tag) => stack.last_mut().unwrap().children.push(node(&tag)),
            Event::End(_) => {
                let done = stack.pop().unwrap();
                stack.last_mut().unwrap().children.push(done);
            }
            Event::Text(t) => stack.last_mut().unwrap().text.push_str(&t.xml10_content()),
            Event::Eof => return stack.pop().unwrap(),
            _ => {}
        }
    }
}

fn node(tag: &BytesStart<'_>) -> Node {
    let attributes = tag.attributes().flatten();
    Node {
        name: tag.local_name().as_ref().to_owned(),
        attributes: attributes
            .map(|a| (a.key.local_name().as_ref().to_owned(), a.value.to_string()))
            .collect(),
        ..Node::default()
    }
}

/// The complex types of a WSDL by name: their sequence of `element`s.
pub struct Wsdl(BTreeMap<String, Vec<Node>>);

impl Wsdl {
    pub fn parse(text: &str) -> Self {
        let mut types = BTreeMap::new();
        collect(&parse(text), &mut types);
        Self(types)
    }

    /// What an element of that type breaks.
    pub fn faults(&self, kind: &str, element: &Node) -> Vec<String> {
        let Some(sequence) = self.0.get(kind) else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        let mut at = 0;
        for slot in sequence {
            let attribute = |name: &str| slot.attributes.get(name).map_or("", String::as_str);
            let name = attribute("name");
            let start = at;
            while element.children.get(at).is_some_and(|c| c.name == name) {
                let child = &element.children[at];
                let nil = child.attributes.get("nil").is_some_and(|n| n == "true");
                if nil && attribute("nillable") != "true" {
                    faults.push(format!("{kind}.{name} is nil"));
                }
                if !nil {
                    let inner = attribute("type").rsplit(':').next().unwrap();
                    faults.extend(self.faults(inner, child));
                }
                at += 1;
            }
            if at == start && attribute("minOccurs") != "0" {
                faults.push(format!("{kind}.{name} is missing"));
            }
            // A record may hold any elements after its own.
            if at > start + 1 && attribute("maxOccurs").is_empty() && kind != "sObject" {
                faults.push(format!("{kind}.{name} is repeated"));
            }
        }
        if let Some(child) = element.children.get(at).filter(|_| kind != "sObject") {
            faults.push(format!("{kind}: {} is out of order or unknown", child.name));
        }
        faults
    }
}

fn collect(node: &Node, types: &mut BTreeMap<String, Vec<Node>>) {
    if node.name == "complexType"
        && let (Some(name), Some(sequence)) = (node.attributes.get("name"), node.seek("sequence"))
    {
        types.insert(name.clone(), sequence.all("element").cloned().collect());
    }
    for child in &node.children {
        collect(child, types);
    }
}
