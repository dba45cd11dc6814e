//! A Salesforce org that answers over HTTP, written from the API's documentation.
