import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';

/** A dump sets its mode within so many bytes. */
const HEADER_BYTES = 8192;
/** mariadb-dump and mysqldump write these words before the first table. */
const MODE = "SQL_MODE='NO_AUTO_VALUE_ON_ZERO'";
const OWN_FOLDERS = "SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_DIR_IN_CREATE'";

/** The same dump, by which no table or partition is made in a folder that it names (`DATA DIRECTORY`): that is the live
 *  server's. @throws ScratchUnusable for one that sets no mode; what `bytes` throws */
export async function* inOwnFolder(bytes: Bytes): Bytes {
  let header: Buffer | null = Buffer.alloc(0);
  for await (const chunk of bytes) {
    if (header === null) {
      yield chunk;
      continue;
    }
    header = Buffer.concat([header, chunk]);
    if (header.length < HEADER_BYTES) continue;
    yield* changed(header);
    header = null;
  }
  if (header !== null) yield* changed(header);
}

function* changed(beginning: Buffer): Generator<Uint8Array> {
  const at = beginning.subarray(0, HEADER_BYTES).indexOf(MODE);
  if (at < 0)
    throw new HoldfastError('ScratchUnusable', 'The dump sets no mode in which it may be loaded here.', 'mariadb', {
      hint: 'Its tables may be made in folders of the live server: the recovery point itself was not judged',
    });
  yield beginning.subarray(0, at);
  yield Buffer.from(OWN_FOLDERS);
  yield beginning.subarray(at + MODE.length);
}
