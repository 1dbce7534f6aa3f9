import { HoldfastError } from '../../../domain/errors.ts';

/** What the error numbers of errno(3) say about a path, in the words of a person. */
export function explain(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof HoldfastError) return error;
  const cause = { cause: error };
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new HoldfastError('SourceMissing', `${path} does not exist.`, path, cause);
    case 'ENAMETOOLONG':
      return new HoldfastError('SourceFailed', `${path} is too long for its file system.`, path, {
        ...cause,
        hint: 'A name has 255 bytes at most there, and a path 4096',
      });
    case 'EEXIST':
    case 'ENOTEMPTY':
      return new HoldfastError('TargetExists', `${path} is in the way: it exists and is not empty.`, path, cause);
    case 'EBUSY':
      return new HoldfastError('TargetBusy', `${path} is in use, or something is mounted on it.`, path, cause);
    case 'ENOSPC':
    case 'EDQUOT':
      return new HoldfastError('NoSpace', `The disk of ${path}, or the quota on it, is full.`, path, cause);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new HoldfastError('SourceFailed', `This account may not do this with ${path} (${error.code}).`, path, {
        ...cause,
        hint: 'Look at its owner and mode and at how its disk is mounted, or run Holdfast as root',
      });
    default:
      return new HoldfastError('SourceFailed', `${path}: ${error.message}.`, path, {
        ...cause,
        hint: 'Look at the disk and at the kernel log: dmesg',
      });
  }
}
