import { HoldfastError } from '../../../domain/errors.ts';

/** A database that was set aside is not dropped beneath somebody. */
export const inUse = (kept: string): HoldfastError =>
  new HoldfastError('TargetBusy', `Somebody talks with the kept database ${kept}.`, kept, {
    hint: 'It is dropped once nobody does, by the next prune; or give it a name of its own to keep it',
  });
