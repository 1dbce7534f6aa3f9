import type { Bytes } from '../ports/bytes.ts';
import type { Command, Host } from '../ports/host.ts';

/** Writes a short text into a file of a host, which no argument list can show.
 *  @param under makes a program run under another account */
export async function writeText(
  path: string,
  text: string,
  host: Host,
  signal: AbortSignal,
  under: (command: Command) => Command = (command) => command,
): Promise<void> {
  const input = (async function* (): Bytes {
    yield Buffer.from(text);
  })();
  await host.feed([under({ program: 'dd', args: [`of=${path}`, 'status=none'] })], { signal, input });
}
