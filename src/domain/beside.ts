/** ext4, XFS and BTRFS take names of 255 bytes; the rest is room for a number after a collision and for the like of `-wal`. */
const LONGEST_BYTES = 240;
const encoder = new TextEncoder();

/** A path beside `path`: its name with `suffix`, which a name that leaves no room for it is cut for. */
export function beside(path: string, suffix: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const name = path.slice(folder.length);
  let room = LONGEST_BYTES - encoder.encode(suffix).length;
  if (encoder.encode(name).length <= room) return path + suffix;
  let kept = '';
  for (const character of name) {
    room -= encoder.encode(character).length;
    if (room < 0) break;
    kept += character;
  }
  return folder + kept + suffix;
}
