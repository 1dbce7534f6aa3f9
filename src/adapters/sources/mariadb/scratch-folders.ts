import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { loadedUnder } from './sql-mode.ts';

/** The same dump, by which no table or partition is made in a folder that it names (`DATA DIRECTORY`): that is the live
 *  server's. @throws ScratchUnusable for one that sets no mode; what `bytes` throws */
export const inOwnFolder = (bytes: Bytes): Bytes =>
  loadedUnder('NO_DIR_IN_CREATE', bytes, () => {
    throw new HoldfastError('ScratchUnusable', 'The dump sets no mode in which it may be loaded here.', 'mariadb', {
      hint: 'Its tables may be made in folders of the live server: the recovery point itself was not judged',
    });
  });
