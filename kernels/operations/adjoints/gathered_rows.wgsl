// Which row of a table each row of the batch has.

// The row of the table that a row of the batch has.
fn index_of(row: u32) -> u32 {
#if ONE_ROW
  return p.shift;
#else
  return batch[p.index + row] + p.shift;
#endif
}

// Whether a row of the table lies in this piece of it.
fn is_here(index: u32) -> bool {
  return index >= p.first_row && index - p.first_row < p.table_rows;
}
