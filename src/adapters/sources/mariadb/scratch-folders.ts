import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { replacedAtHead } from '../server/replace-head.ts';

/** A dump sets its mode within so many bytes; mariadb-dump and mysqldump write these words before the first table. */
const MODE = {
  within: 8192,
  wanted: "SQL_MODE='NO_AUTO_VALUE_ON_ZERO'",
  instead: "SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_DIR_IN_CREATE'",
};

/** The same dump, by which no table or partition is made in a folder that it names (`DATA DIRECTORY`): that is the live
 *  server's. @throws ScratchUnusable for one that sets no mode; what `bytes` throws */
export const inOwnFolder = (bytes: Bytes): Bytes =>
  replacedAtHead(bytes, MODE, () => {
    throw new HoldfastError('ScratchUnusable', 'The dump sets no mode in which it may be loaded here.', 'mariadb', {
      hint: 'Its tables may be made in folders of the live server: the recovery point itself was not judged',
    });
  });
