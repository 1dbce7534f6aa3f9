import * as z from 'zod';
import { HoldfastError } from './errors.ts';

const facts = z.object({
  tables: z.record(z.string(), z.number()).exactOptional(),
  uncounted: z.array(z.string()).readonly().exactOptional(),
  largeObjects: z.number().exactOptional(),
  extensions: z.record(z.string(), z.string()).exactOptional(),
  entries: z.number().exactOptional(),
  keys: z.number().exactOptional(),
  keyTypes: z.record(z.string(), z.number()).exactOptional(),
  documents: z.record(z.string(), z.number()).exactOptional(),
  deleted: z.number().exactOptional(),
  designDocuments: z.number().exactOptional(),
  revisions: z.number().exactOptional(),
  attachments: z.number().exactOptional(),
  files: z.number().exactOptional(),
  directories: z.number().exactOptional(),
  links: z.number().exactOptional(),
  others: z.number().exactOptional(),
  bytes: z.number().exactOptional(),
});

/** A folder or file that a tree item holds: where it was, and the name under which the tar has it. `files`: names of
 *  regular files at or below it, so that a path that had files and has none is seen among several. */
const root = z.object({ path: z.string(), stored: z.string(), files: z.number().exactOptional() });

const item = z.object({
  /** Unique in the point: `files_data`, `sqlite_notes`, `postgres_authelia`. */
  name: z.string(),
  source: z.string(),
  kind: z.string(),
  /** Relative to the point's folder; absent for a failed item and in a `single` archive. */
  file: z.string().exactOptional(),
  /** A dump's name in a `single` archive: `backup/<source>/sqlite_notes.db`. */
  member: z.string().exactOptional(),
  /** Bytes as stored; in a `single` archive, and for a failed item, the plain bytes that were read. */
  size: z.number(),
  originalSize: z.number().nullable(),
  /** Of the stored file, lower-case hex; null in a `single` archive and for a failed item. */
  sha256: z.string().nullable(),
  /** Of the plain stream; null where the stored file is the plain stream. */
  originalSha256: z.string().nullable(),
  durationMs: z.number(),
  /** `partial`: stored, without what could not be read, which `error` names. */
  outcome: z.enum(['passed', 'partial', 'failed']),
  error: z.string().nullable(),
  warnings: z.array(z.string()),
  facts,
  tool: z.object({ name: z.string(), version: z.string() }).nullable(),
  /** Tree items only. */
  roots: z.array(root).exactOptional(),
  /** What the source left out, as configured: an in-place restore keeps it from the present state. */
  exclude: z.array(z.string()).exactOptional(),
  /** A dump that its own tool compresses: no repository does it again. */
  packed: z.literal(true).exactOptional(),
  compression: z.enum(['zstd', 'gzip', 'none']),
  encryption: z.enum(['age', 'gpg']).nullable(),
  /** SHA-256 over the settings that it was packed and sealed by, recipients too: an item is stored as a hard link only
   *  while they are the same. */
  storedWith: z.string().exactOptional(),
  /** The seek table and index of members beside a gzip or plain file. */
  index: z.object({ file: z.string(), size: z.number(), sha256: z.string() }).exactOptional(),
  /** SHA-256 over names, sizes, times and inode numbers of a tree: an equal one is stored as a hard link. */
  fingerprint: z.string().exactOptional(),
  /** When the bytes were last read from the source, ISO 8601; earlier than the point's time for a reused item. */
  readAt: z.string(),
});

export const manifestSchema = z.object({
  format: z.literal(1),
  /** ULID; the same in each repository that holds the point. */
  id: z.string(),
  service: z.string(),
  /** Null for a point that was made by hand. */
  plan: z.string().nullable(),
  type: z.enum(['regular', 'safety']),
  host: z.string(),
  /** The id of the state folder that made it (interface, section 10, line 5). */
  origin: z.string(),
  timestamp: z.string(),
  completedAt: z.string(),
  durationMs: z.number(),
  outcome: z.enum(['passed', 'partial']),
  holdfast: z.string(),
  counts: z.object({ succeeded: z.number(), failed: z.number() }),
  totalSize: z.number(),
  items: z.array(item),
  /** Layout `single` only, and only in the file beside the archive. */
  archive: z.object({ file: z.string(), size: z.number(), sha256: z.string() }).exactOptional(),
  /** The merged configuration the point was made with, secrets masked. */
  configuration: z.unknown(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type Item = Manifest['items'][number];
export type Root = z.infer<typeof root>;
export type Tool = NonNullable<Item['tool']>;

/** Reads a stored manifest. Unknown keys of a later version are ignored.
 *  @throws HoldfastError `Damaged` when it is no JSON or no manifest, naming `subject`. */
export function parseManifest(text: string, subject: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError('Damaged', `The manifest of ${subject} is no JSON.`, subject, { cause });
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new HoldfastError('Damaged', `The manifest of ${subject} is not whole: ${where}: ${issue?.message}.`, subject);
}

/** The manifest as it is stored: keys in the order of the contract, two spaces, a newline at the end. One that could not
 *  be read back is never written. */
export const printManifest = (manifest: Manifest): string =>
  `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`;
