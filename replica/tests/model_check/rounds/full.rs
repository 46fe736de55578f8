//! Larger configurations, on request.
