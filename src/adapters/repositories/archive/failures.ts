import { ERRORS, HoldfastError } from '../../../domain/errors.ts';

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;
/** True when the error says that nothing is at the path. */
export const saysAbsent = (error: unknown): boolean => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

/** What a failed call of the system means to a person. What is no such failure is returned as it is.
 *  @param repository its name, for what to do next */
export function explained(error: unknown, path: string, repository?: string): unknown {
  const found = meaning(error, path);
  const named = repository !== undefined && !repository.includes('/'); // no location, which no configuration names
  const unnamed = found instanceof HoldfastError && found.hint === ERRORS.RepositoryUnusable.hint;
  if (!named || !unnamed) return found;
  const hint = `See what is wrong with it: holdfast repository check ${repository}`;
  return new HoldfastError(found.code, found.message, found.subject, { cause: found.cause, hint });
}

function meaning(error: unknown, path: string): unknown {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new HoldfastError('NoSpace', `There is no space left for ${path}.`, path, { cause: error });
    case 'EROFS':
      return unusable(`The file system of ${path} is mounted read-only.`, path, error);
    case 'EACCES':
    case 'EPERM':
      return unusable(`This account may not write or read ${path}.`, path, error);
    case 'EIO':
    case 'ESTALE':
    case 'ENXIO':
      return unusable(`The disk of ${path} cannot be read or written (${codeOf(error)}).`, path, error);
    default:
      return error;
  }
}

const unusable = (message: string, path: string, cause: unknown): HoldfastError =>
  new HoldfastError('RepositoryUnusable', message, path, { cause });

/** Runs `work` and rejects with what its failure means. */
export async function explaining<T>(path: string, work: () => Promise<T>, repository?: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explained(error, path, repository);
  }
}

/** What `read` gives, or null when nothing is there. */
export async function ifPresent<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (saysAbsent(error)) return null;
    throw error;
  }
}

/** True for an error that says that nothing can be changed there: then nothing can be removed there either. */
export const saysReadOnly = (error: unknown): boolean =>
  codeOf(error) === 'EROFS' || codeOf((error as Error | undefined)?.cause) === 'EROFS';
