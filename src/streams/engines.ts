import type { Transform } from 'node:stream';
import { setFlagsFromString } from 'node:v8';

// Buffers that pass lie outside of V8's heap, and their number makes it mark that heap all the time, piece by piece and
// in threads that compete for the cores: 50 times for 1 GB. At one go it is 10 times, and a sixth of all CPU less.
setFlagsFromString('--no-incremental-marking');

/** Runs frames through zlib, each by itself, several at the same time on libuv's pool. */
export interface Engines extends Disposable {
  /** What came of one frame, in pieces. Rejects with zlib's error. */
  run(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
}

/** An engine is made when all others are busy, and used again for later frames. One for each frame would be simpler; its
 *  memory lies outside of V8's heap, and so much of it makes the garbage collector run all the time (1 GB of a tar: 80
 *  full collections, a quarter of all processor time; with engines used again, 11).
 *  @param create an engine for which one `write` is one whole frame */
export function engines(create: () => Transform): Engines {
  const idle: Engine[] = [];
  const all = new Set<Engine>();
  function newEngine(): Engine {
    const engine = startEngine(create());
    all.add(engine);
    return engine;
  }
  return {
    async run(bytes) {
      const engine = idle.pop() ?? newEngine();
      try {
        const pieces = await engine.run(bytes);
        idle.push(engine);
        return pieces;
      } catch (error) {
        all.delete(engine); // it may be in the middle of a frame
        engine.end();
        throw error;
      }
    },
    [Symbol.dispose]() {
      for (const engine of all) engine.end();
    },
  };
}

interface Engine {
  run(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
  end(): void;
}

function startEngine(transform: Transform): Engine {
  let pieces: Uint8Array[] = [];
  let fail: (error: unknown) => void = () => {};
  transform.on('data', (piece: Uint8Array) => pieces.push(piece));
  transform.on('error', (error) => fail(error));
  return {
    run(bytes) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly Uint8Array[]>();
      fail = reject;
      transform.write(bytes, (error) => {
        if (error) return reject(error);
        const rest: Uint8Array | null = transform.read();
        if (rest !== null && rest.length > 0) pieces.push(rest);
        const whole = pieces;
        pieces = [];
        resolve(whole);
      });
      return promise;
    },
    end: () => void transform.destroy(),
  };
}
