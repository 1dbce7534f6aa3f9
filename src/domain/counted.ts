/** A number with its noun: `1 file`, `12 files`. `many` where an s does not make the plural: `counted(2, 'entry', 'entries')`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
