import type { Bytes } from '../../../ports/bytes.ts';
import { filterMembers, relinkedHeaders, renamedHeaders } from '../../../streams/tar-rewrite.ts';

/** The members of a tar under `prefix`, hard links too, symbolic links as they are; without the end blocks. */
export const prefixMembers = (bytes: Bytes, prefix: string, subject: string): Bytes =>
  filterMembers(bytes, subject, (member) => {
    const { entry } = member;
    const name = Buffer.concat([Buffer.from(prefix), entry.bytes ?? Buffer.from(entry.path)]);
    if (entry.type !== 'hardlink') return renamedHeaders(member, name);
    return relinkedHeaders(member, name, Buffer.from(prefix + (entry.target ?? '')));
  });
