import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Loaded } from './load.ts';
import { type Place, readFiles } from './locate.ts';

/** In the state folder. It may be removed at any time. */
const FILE = 'configuration.cache';
/** What one write(2) puts into a file at once. */
const LARGEST = 256 * 1024;

interface Checked {
  readonly loaded: Loaded;
  /** The configuration as manifests have it. */
  readonly masked: unknown;
}

/** What a start takes from the configuration. */
export interface TakenConfiguration extends Checked {
  /** Keeps it for later starts in the state folder, which exists; nothing where it came from there. Never throws. */
  remember(): Promise<void>;
}

/** The configuration as it was read now. When an earlier start of the same build has checked the very same texts, what
 *  it found is taken from the state folder: neither a parser nor a schema is loaded, which is more than half of a start.
 *  @param folder the state folder, which need not exist
 *  @param build what tells one build of the program from every other; null remembers nothing
 *  @throws HoldfastError `ConfigurationMissing`; `ConfigurationInvalid` with every error, each with its line */
export async function takeConfiguration(
  place: Place,
  { folder, build }: { readonly folder: string; readonly build: string | null },
): Promise<TakenConfiguration> {
  const { texts, faults } = await readFiles(place);
  // The texts themselves, no hash and no times of files: what differs in one letter is not the same.
  const key = build === null || faults.length > 0 ? null : JSON.stringify({ build, texts });
  const path = join(folder, FILE);
  const known = key === null ? null : await recall(path, key);
  if (known !== null) return { ...known, remember: async () => {} };
  const [{ loadTexts }, { maskedConfiguration }] = await Promise.all([import('./load.ts'), import('./masked.ts')]);
  const loaded = loadTexts(texts, faults);
  const checked = { loaded, masked: maskedConfiguration(loaded.configuration) };
  return { ...checked, remember: async () => (key === null ? undefined : store(path, key, checked)) };
}

/** Null when it is not there, is of other texts or another build, is not whole, or is not this account's alone. */
async function recall(path: string, key: string): Promise<Checked | null> {
  try {
    await using file = await open(path, 'r');
    const { uid, mode } = await file.stat();
    if (uid !== process.geteuid?.() || (mode & 0o077) !== 0) return null;
    const text = await file.readFile('utf8');
    return text.startsWith(`${key}\n`) ? JSON.parse(text.slice(key.length)) : null;
  } catch {
    return null; // it only saves time
  }
}

async function store(path: string, key: string, checked: Checked): Promise<void> {
  // what masking changes holds a secret, which gets no second place
  if (JSON.stringify(checked.masked) !== JSON.stringify(checked.loaded.configuration)) return;
  const text = Buffer.from(`${key}\n${JSON.stringify(checked)}\n`);
  if (text.length > LARGEST) return;
  try {
    // In place and by one call, so that a kill leaves nothing beside it. Half of it, or another's longer end behind it, is
    // no JSON.
    await using file = await open(path, 'w', 0o600);
    await file.write(text);
  } catch {
    // the next start checks again
  }
}
