/** Compares names as `ls` prints them: true when `name` is `folder` itself or lies in it. Slashes around either do not
 *  count, and the empty folder holds all. */
export function isBelow(name: string, folder: string): boolean {
  const [inner, outer] = [trimSlashes(name), trimSlashes(folder)];
  return outer === '' || inner === outer || inner.startsWith(`${outer}/`);
}

/** Whether either is the other, or lies in it. */
export const overlap = (left: string, right: string): boolean => isBelow(left, right) || isBelow(right, left);

/** The last name of a path that does not end with a slash. */
export const lastName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The folder that an absolute path lies in. */
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

export const trimSlashes = (name: string): string => name.replace(/^\/+|\/+$/g, '');
