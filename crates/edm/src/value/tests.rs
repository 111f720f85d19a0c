//! Examples and properties.
