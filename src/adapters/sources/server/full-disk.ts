/** What programs and servers say of a disk without room: ENOSPC and EDQUOT of strerror(3), MariaDB's errors 1021 and 1114. */
export const saysNoRoom = (said: string): boolean =>
  /No space left on device|Disk quota exceeded|Errcode: 28\b|\b(?:ERROR|error:) (?:1021|1114)\b/i.test(said);

export const MAKE_ROOM = 'Free space on the disk of the server';
