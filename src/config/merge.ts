import type { Diagnostic, Path, Problem } from './diagnostic.ts';
import { printPath } from './diagnostic.ts';
import type { ConfigurationDocument } from './document.ts';
import { isMapping } from './walk.ts';

/** Mappings of names: several files may each have some of them. Every other key belongs to one file. */
const COLLECTIONS = new Set(['hosts', 'repositories', 'pools', 'services', 'plans']);

/** Several files as one value, and the way back from a place in it to a place in a file. */
export interface Merged {
  readonly value: unknown;
  readonly faults: readonly Diagnostic[];
  /** The file in which this part stands. */
  fileOf(path: Path): string;
  locate(problem: Problem, severity: Diagnostic['severity']): Diagnostic;
}

/** Merges documents in their order. A key, or a name in a collection, that two of them define is an error that names both
 *  places; `version` may stand in each, when it is the same. */
export function merge(documents: readonly ConfigurationDocument[]): Merged {
  const [main] = documents;
  if (!main) throw new TypeError('There is at least the main file.');
  const value: Record<string, unknown> = {};
  const owners = new Map<string, ConfigurationDocument>();
  const faults: Diagnostic[] = [];
  const keyOf = (path: Path): string => JSON.stringify(path.slice(0, 2).map(String));
  const ownerOf = (path: Path): ConfigurationDocument =>
    owners.get(keyOf(path)) ?? owners.get(keyOf(path.slice(0, 1))) ?? main;
  const own = (document: ConfigurationDocument, path: Path): boolean => {
    const other = owners.get(keyOf(path));
    if (other && other !== document) {
      const first = other.position(path, 'key');
      const where = { file: document.file, ...document.position(path, 'key') };
      const message = `It is defined already, in ${other.file}:${first.line}:${first.column}.`;
      faults.push({ severity: 'error', ...where, path: printPath(path), message });
      return false;
    }
    owners.set(keyOf(path), document);
    return true;
  };

  for (const document of documents) {
    if (!isMapping(document.value)) {
      if (document.value === null && document !== main) continue; // a file of conf.d that is commented out
      const empty = document.value === null || document.value === undefined;
      const message = empty ? 'It is empty: it needs at least "version: 1".' : 'It must be a mapping of keys.';
      const where = { file: document.file, ...document.position([], 'value') };
      faults.push({ severity: 'error', ...where, path: '', message });
      continue;
    }
    for (const [key, part] of Object.entries(document.value)) {
      const present = value[key];
      if (key === 'version' && present === part) continue;
      if (COLLECTIONS.has(key) && isMapping(part) && (present === undefined || isMapping(present))) {
        const fresh = Object.entries(part).filter(([name]) => own(document, [key, name]));
        value[key] = { ...present, ...Object.fromEntries(fresh) };
        if (!owners.has(keyOf([key]))) owners.set(keyOf([key]), document);
      } else if (own(document, [key])) value[key] = part;
    }
  }
  return {
    value,
    faults,
    fileOf: (path) => ownerOf(path).file,
    locate: ({ path, at, message }, severity) => {
      const document = ownerOf(path);
      return { severity, file: document.file, ...document.position(path, at), path: printPath(path), message };
    },
  };
}
