/** A place in a value: keys of mappings, indexes of lists. */
export type Path = readonly (string | number)[];

/** One finding about a configuration. `line` and `column` count from 1; both are 0 where a file as a whole is meant. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `services.mealie.sources.db`; empty for what concerns the syntax or the file. */
  readonly path: string;
  readonly message: string;
}

/** What is wrong at a place, before it is known where in a file that is. `at`: the key of the pair, or its value. */
export interface Problem {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
}

export const printPath = (path: Path): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');

/** `FILE:LINE:COLUMN: PATH: MESSAGE`, as compilers print it, so that editors jump to it. */
export function printDiagnostic({ file, line, column, path, message }: Diagnostic): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}

const byPlace = (a: Diagnostic, b: Diagnostic): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : 0;

/** In the order in which a file is read; files stay in the order in which they came. */
export const inOrder = (diagnostics: readonly Diagnostic[]): Diagnostic[] => diagnostics.toSorted(byPlace);
