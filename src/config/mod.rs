//! Settings: files with line and column, merged with the environment.
