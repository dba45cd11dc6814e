//! A small XML tree: metadata files and SOAP envelopes are read into it whole.
//!
//! Key decision: elements by local name with their text; of the attributes only `xsi:type` and `xsi:nil` are
//! kept, since no document read here says anything in another. Documents are small, and none needs
//! streaming. Malformed XML is an error.
//! Not here: writing XML (`http::soap`).

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deepest nesting of elements.
const MAX_DEPTH: usize = 200;

/// One element: its local name, its own text and its child elements.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    pub name: String,
    pub text: String,
    /// Local part of `xsi:type`.
    pub kind: Option<String>,
    /// `xsi:nil="true"`.
    pub nil: bool,
    pub children: Vec<Element>,
}

impl Element {
    /// First child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// Every child of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// Trimmed text of the first child of that name, if it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim()).filter(|t| !t.is_empty())
    }

    /// Whether the child of that name says `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

/// Reads a document; the error is a line for people.
pub(crate) fn parse(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut stack = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|e| e.to_string())?;
        match event {
            Event::Start(_) if stack.len() > MAX_DEPTH => {
                return Err(format!("elements are nested deeper than {MAX_DEPTH} levels"));
            }
            Event::Start(tag) => stack.push(named(&tag)),
            Event::Empty(tag) => attach(&mut stack, named(&tag))?,
            Event::End(_) => {
                let done = stack.pop().ok_or("unbalanced end tag")?;
                attach(&mut stack, done)?;
            }
            Event::Text(t) => push_text(&mut stack, &t.xml10_content()),
            Event::CData(t) => push_text(&mut stack, &t.xml10_content()),
            Event::GeneralRef(r) => {
                let c = match r.resolve_char_ref().map_err(|e| e.to_string())? {
                    Some(c) => c,
                    None => named_entity(&r.xml_content(quick_xml::XmlVersion::Implicit1_0))?,
                };
                push_text(&mut stack, c.encode_utf8(&mut [0; 4]));
            }
            Event::Eof => break,
            Event::DocType(_) => return Err("DOCTYPE is not allowed".into()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    let root = match stack.pop() {
        Some(root) if stack.is_empty() => root,
        _ => return Err("element not closed".into()),
    };
    root.children
        .into_iter()
        .next()
        .ok_or_else(|| "no element".into())
}

fn named(tag: &quick_xml::events::BytesStart<'_>) -> Element {
    let mut element = Element {
        name: tag.local_name().as_ref().to_owned(),
        ..Element::default()
    };
    for attribute in tag.attributes().flatten() {
        let value: &str = &attribute.value;
        match attribute.key.local_name().as_ref() {
            "type" => element.kind = value.rsplit(':').next().map(str::to_owned),
            "nil" => element.nil = value == "true",
            _ => {}
        }
    }
    element
}

fn attach(stack: &mut [Element], done: Element) -> Result<(), String> {
    stack.last_mut().ok_or("unbalanced end tag")?.children.push(done);
    Ok(())
}

fn push_text(stack: &mut [Element], text: &str) {
    if let Some(top) = stack.last_mut() {
        top.text.push_str(text);
    }
}

fn named_entity(name: &str) -> Result<char, String> {
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        other => return Err(format!("unknown entity &{other};")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_entities_and_namespaces() {
        let doc =
            parse("<?xml version=\"1.0\"?><a:R xmlns:a='x'><b>1 &amp; &#50;</b><c/><b>3</b></a:R>").unwrap();
        assert_eq!(doc.name, "R");
        assert_eq!(doc.get("b"), Some("1 & 2"));
        assert_eq!(doc.all("b").count(), 2);
        assert_eq!(doc.get("c"), None);
    }

    #[test]
    fn keeps_type_and_nil() {
        let doc = parse("<r><a xsi:type='sf:Account'/><b xsi:nil='true'/></r>").unwrap();
        assert_eq!(doc.children[0].kind.as_deref(), Some("Account"));
        assert!(doc.children[1].nil && !doc.children[0].nil);
    }

    #[test]
    fn refuses_the_malformed() {
        let deep = |levels: usize| "<a>".repeat(levels) + &"</a>".repeat(levels);
        assert!(parse(&deep(MAX_DEPTH)).is_ok());
        let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        for bad in [
            "",
            "<a>",
            "<a></b>",
            "<a>&nope;</a>",
            "plain",
            bomb,
            &deep(MAX_DEPTH + 1),
            &deep(100_000),
        ] {
            assert!(parse(bad).is_err(), "{bad:.60}");
        }
    }
}
