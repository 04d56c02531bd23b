//! Journal files and what is folded from them.
