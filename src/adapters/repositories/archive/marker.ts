import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import { explaining, ifPresent } from './failures.ts';

export const MARKER = '.holdfast-repository.json';

export interface Marker {
  readonly format: number;
  readonly id: string;
  readonly createdAt: string;
}

export const printMarker = (id: string, createdAt: Temporal.Instant): string =>
  `${JSON.stringify({ format: 1, id, createdAt: createdAt.toString({ smallestUnit: 'second' }) })}\n`;

/** Reads the file that says that this folder is a repository, `name` in the configuration.
 *  @throws RepositoryNotFound when it is missing: a disk that is not mounted never fills the disk below it;
 *  RepositoryUnusable when it is not whole, or of a format that this version does not know */
export async function readMarker(folder: string, name: string): Promise<Marker> {
  const path = join(folder, MARKER);
  const text = await explaining(path, () => ifPresent(readFile(path, 'utf8')));
  if (text === null) {
    const why = `There is no marker file ${MARKER} in ${folder}: its disk may not be mounted.`;
    const hint = name.includes('/') // a location, which no configuration names
      ? `Mount the disk, or name the folder in which ${MARKER} lies`
      : `Mount the disk, or create it with: holdfast repository init ${name}`;
    throw new HoldfastError('RepositoryNotFound', why, folder, { hint });
  }
  const marker = parse(text);
  if (marker === null) throw new HoldfastError('RepositoryUnusable', `The marker file ${path} is not whole.`, folder);
  if (marker.format === 1) return marker;
  const why = `The repository in ${folder} has format ${marker.format}; this version knows format 1.`;
  throw new HoldfastError('RepositoryUnusable', why, folder, { hint: 'Use the version of Holdfast that made it' });
}

function parse(text: string): Marker | null {
  try {
    const { format, id, createdAt } = JSON.parse(text);
    const whole = typeof format === 'number' && typeof id === 'string' && typeof createdAt === 'string';
    return whole ? { format, id, createdAt } : null;
  } catch {
    return null; // said by the caller, which knows the path
  }
}
