/** Compares names as `ls` prints them: true when `name` is `folder` itself or lies in it. Slashes around either do not
 *  count, and the empty folder holds all. */
export function isBelow(name: string, folder: string): boolean {
  const [inner, outer] = [trimSlashes(name), trimSlashes(folder)];
  return outer === '' || inner === outer || inner.startsWith(`${outer}/`);
}

/** The folder that an absolute path lies in. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

export const trimSlashes = (name: string): string => name.replace(/^\/+|\/+$/g, '');
