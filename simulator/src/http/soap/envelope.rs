//! The frame of a SOAP reply: namespaces, the limit header, faults.
//!
//! Key decision: the two interfaces differ in namespaces and in how a record names its type, and in nothing
//! else, so one small value tells them apart.
//! Source: SOAP API guide, "API Fault Element", "LimitInfoHeader"; the fault types of the partner WSDL.
//! Not here: what stands between the tags of an operation (`reads`, `writes`).

use quick_xml::escape::escape;

use crate::error::ApiError;
use crate::org::State;

/// Which WSDL a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Partner,
    Enterprise,
}

impl Dialect {
    /// By the letter in the path: `c` is the enterprise interface.
    pub fn of(letter: &str) -> Self {
        if letter == "c" {
            Self::Enterprise
        } else {
            Self::Partner
        }
    }

    /// The letter in the path.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Partner => "u",
            Self::Enterprise => "c",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Enterprise => "enterprise",
        }
    }

    /// The namespace of operations.
    pub fn space(self) -> String {
        format!("urn:{}.soap.sforce.com", self.name())
    }

    /// The reply of a call that went well.
    pub fn envelope(self, state: &State, body: &str) -> String {
        let used = state.used_today();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"{}\" xmlns:sf=\"urn:sobject.{}.soap.sforce.com\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header><LimitInfoHeader><limitInfo><current>{used}</current><limit>{}</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>",
            self.space(),
            self.name(),
            state.settings.daily_requests
        )
    }

    /// The reply of a call that was refused as a whole.
    pub fn fault(self, fault: &Fault) -> String {
        let message = escape(&fault.message);
        let (code, text, detail) = match fault.code {
            None => ("soapenv:Client".to_owned(), message.to_string(), String::new()),
            Some(code) => {
                let kind = fault_type(code);
                let place = if has_place(kind) {
                    let (row, column) = place(&fault.message);
                    format!("<sf:row>{row}</sf:row><sf:column>{column}</sf:column>")
                } else {
                    String::new()
                };
                let detail = format!(
                    "<detail><sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage>{place}</sf:{kind}></detail>"
                );
                (format!("sf:{code}"), format!("{code}: {message}"), detail)
            }
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:sf=\"urn:fault.{}.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>{detail}</soapenv:Fault></soapenv:Body></soapenv:Envelope>",
            self.name()
        )
    }
}

/// The refusal of a whole call.
#[derive(Debug)]
pub(crate) struct Fault {
    /// An exception code of the API; `None` for a fault of the protocol.
    code: Option<&'static str>,
    message: String,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            message: message.into(),
        }
    }

    /// The envelope or the operation is not what the WSDL says.
    pub fn client(message: impl Into<String>) -> Self {
        Self {
            code: None,
            message: message.into(),
        }
    }
}

impl From<ApiError> for Fault {
    fn from(e: ApiError) -> Self {
        match e.code {
            // A text that is no value of its type never reaches the org: the envelope is refused.
            "JSON_PARSER_ERROR" => Self::client(e.message),
            code => Self::new(code, e.message),
        }
    }
}

/// The type of the WSDL that carries an exception code.
fn fault_type(code: &str) -> &'static str {
    match code {
        "MALFORMED_QUERY" => "MalformedQueryFault",
        "INVALID_FIELD" => "InvalidFieldFault",
        "INVALID_TYPE" => "InvalidSObjectFault",
        "INVALID_QUERY_LOCATOR" => "InvalidQueryLocatorFault",
        "MALFORMED_ID" | "INVALID_ID_FIELD" => "InvalidIdFault",
        "INVALID_LOGIN" | "LOGIN_MUST_USE_SECURITY_TOKEN" => "LoginFault",
        _ => "UnexpectedErrorFault",
    }
}

fn has_place(kind: &str) -> bool {
    matches!(
        kind,
        "MalformedQueryFault" | "InvalidFieldFault" | "InvalidSObjectFault"
    )
}

/// Row and column out of a message that says `ERROR at Row:1:Column:8`; -1 where it does not.
fn place(message: &str) -> (i64, i64) {
    let number = |label: &str| {
        let at = message.find(label)? + label.len();
        let digits: String = message[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    (number("Row:").unwrap_or(-1), number("Column:").unwrap_or(-1))
}
