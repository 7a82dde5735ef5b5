//! Lessons: parsing and checking.
