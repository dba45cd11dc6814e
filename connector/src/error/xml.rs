//! Walks XML and tells the text of every element by its path of local names.
//!
//! Key decision: no tree is built and no name space is looked up: SOAP replies are flat, and their local names
//! are distinct. Only the five predefined entities and character references are resolved; a document type is
//! refused, so nothing is ever expanded. It is not a validator.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

/// Called at the end of every element with its path from the root and the text directly within it.
pub type EachElement<'a> = dyn FnMut(&[&str], &str) -> Result<(), String> + 'a;

/// Deepest element that is followed.
const DEPTH_MAX: usize = 32;

/// Walks `body` to its end.
///
/// # Errors
/// What is wrong with the XML, or what `each` returned.
pub fn walk(body: &[u8], each: &mut EachElement<'_>) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|e| format!("not UTF-8: {e}"))?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut names: Vec<String> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|e| format!("not XML: {e}"))?;
        match event {
            Event::Start(start) => {
                if names.len() == DEPTH_MAX {
                    return Err("XML nested too deeply".into());
                }
                names.push(start.local_name().as_ref().to_owned());
                texts.push(String::new());
            }
            Event::Empty(empty) => {
                let name = empty.local_name();
                let mut path: Vec<&str> = names.iter().map(String::as_str).collect();
                path.push(name.as_ref());
                each(&path, "")?;
            }
            Event::End(_) => {
                let path: Vec<&str> = names.iter().map(String::as_str).collect();
                each(&path, &texts.pop().unwrap_or_default())?;
                names.pop();
            }
            Event::Text(part) => texts
                .last_mut()
                .into_iter()
                .for_each(|t| t.push_str(&part.xml10_content())),
            Event::CData(part) => texts
                .last_mut()
                .into_iter()
                .for_each(|t| t.push_str(&part.xml10_content())),
            Event::GeneralRef(name) => {
                let entity = format!("&{};", &*name);
                let value = unescape(&entity).map_err(|e| format!("not XML: {e}"))?;
                texts.last_mut().into_iter().for_each(|t| t.push_str(&value));
            }
            Event::DocType(_) => return Err("XML with a document type".into()),
            Event::Eof if names.is_empty() => return Ok(()),
            Event::Eof => return Err(format!("XML ends within <{}>", names.join("/"))),
            _ => {}
        }
    }
}
