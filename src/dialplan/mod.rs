//! Dialplan files, checked into a program that a cursor runs.
