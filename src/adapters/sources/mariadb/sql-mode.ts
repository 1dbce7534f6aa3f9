import type { Bytes } from '../../../ports/bytes.ts';
import { replacedAtHead } from '../server/replace-head.ts';

/** What mariadb-dump and mysqldump write before the first table, within so many bytes. */
const WITHIN = 8192;
const WRITTEN = "SQL_MODE='NO_AUTO_VALUE_ON_ZERO";

/** The same dump, loaded under one more mode. @param absent called for one that sets none */
export const loadedUnder = (mode: string, bytes: Bytes, absent?: () => void): Bytes =>
  replacedAtHead(bytes, { within: WITHIN, wanted: WRITTEN, instead: `${WRITTEN},${mode}` }, absent);

/** The same dump, of which a day that no calendar has comes back as it is: a server that let `2026-02-31` in
 *  (ALLOW_INVALID_DATES) makes `0000-00-00` of it otherwise, and says nothing. */
export const withOddDays = (bytes: Bytes): Bytes => loadedUnder('ALLOW_INVALID_DATES', bytes);
