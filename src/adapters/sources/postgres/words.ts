/** Runs SQL on the server as a whole. @param except databases that may not be talked to meanwhile */
export type Ask = (sql: string, signal: AbortSignal, except?: readonly string[]) => Promise<readonly string[]>;

/** What is said to the server as a whole, and in one of its databases. */
export interface Talks {
  readonly ask: Ask;
  readonly within: (database: string, sql: string, signal: AbortSignal) => Promise<unknown>;
}

export const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** An identifier as it stands in SQL, without its quotes. */
export const plain = (identifier: string): string =>
  identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;

/** A string constant, whatever `standard_conforming_strings` is. */
export const literal = (text: string): string => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
