//! SOQL against the sample org.
