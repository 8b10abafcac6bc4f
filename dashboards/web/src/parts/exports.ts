// Files that several pages offer.

/** A list of the API as a table. */
export const table = (path: string, extra?: Record<string, string | null>) => [
  { text: 'CSV', path, format: 'csv', extra },
  { text: 'JSON Lines', path, format: 'jsonl', extra },
]

/** Charges for FinOps tools. */
export const FOCUS = { text: 'FOCUS 1.2', hint: 'charges by day, CSV', path: 'focus', format: 'csv' }
