//! Call records, folded from the journal.
