/** Calls `open` once for a name; a failure is not kept, so that a later call tries again. */
export function once<Value>(open: (name: string) => Promise<Value>): (name: string) => Promise<Value> {
  const opened = new Map<string, Promise<Value>>();
  return (name) => {
    const value = opened.get(name) ?? open(name);
    opened.set(name, value);
    value.catch(() => opened.delete(name)); // the caller sees it too: this only forgets
    return value;
  };
}
