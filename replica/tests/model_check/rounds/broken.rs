//! The model can fail.
