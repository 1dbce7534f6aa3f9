import { HoldfastError } from '../domain/errors.ts';
import type { Source } from '../ports/source.ts';

/** Which source has which item. A name stands once in a point, and two servers of one kind may have databases of one
 *  name: the source that is declared first keeps it, whichever is faster. */
export interface ItemNames {
  /** @param names of the items of source `index`
   *  @returns those that an earlier source of its kind has, with that source; known once those were captured */
  claim(index: number, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

export function itemNames(sources: readonly Source[]): ItemNames {
  const claimed = sources.map(() => Promise.withResolvers<readonly string[]>());
  const isServer = ({ databases }: Source): boolean => databases !== null; // all others name items after themselves
  return {
    async claim(index, names) {
      claimed[index]?.resolve(names); // of a second call nothing is heard
      const taken = new Map<string, string>();
      const own = sources[index];
      for (const [place, source] of sources.slice(0, index).entries()) {
        if (own === undefined || source.kind !== own.kind || !isServer(source)) continue;
        const theirs = new Set(await claimed[place]?.promise);
        for (const name of names) if (theirs.has(name) && !taken.has(name)) taken.set(name, source.name);
      }
      return taken;
    },
  };
}

/** Of the row of an item whose name another source has: it gets a name of its own, under which nothing is stored. */
export const secondName = (item: string, source: string): string => `${item}%20of%20${source}`;

export const nameTaken = (item: string, source: string, other: string): HoldfastError =>
  new HoldfastError(
    'SourceFailed',
    `${other} has the item ${item} already: give ${source} a service of its own.`,
    item,
  );
