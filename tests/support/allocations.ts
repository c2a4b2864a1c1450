/**
 * How much memory code asks for at once: for tests of files that lie about their sizes.
 *
 * @module
 */

const TYPED = [
  "ArrayBuffer",
  "Uint8Array",
  "Int8Array",
  "Uint16Array",
  "Uint32Array",
  "Int32Array",
  "Float32Array",
  "Float64Array",
] as const;

/** The largest buffer that was made since `reset`, in bytes; disposing stops the watch. */
export interface AllocationWatch extends Disposable {
  /** In bytes. */
  readonly largest: number;
  /** Forgets what was made. */
  reset(): void;
}

/** Watches the constructors of buffers and typed arrays by length; views and copies of arrays are not counted. */
export function watchAllocations(): AllocationWatch {
  let largest = 0;
  const names = globalThis as unknown as Record<string, { readonly BYTES_PER_ELEMENT?: number }>;
  const real = TYPED.map((name) => [name, names[name]] as const);
  for (const [name, type] of real) {
    names[name] = new Proxy(type, {
      construct(target, args, newTarget) {
        if (typeof args[0] === "number") {
          largest = Math.max(largest, args[0] * (type.BYTES_PER_ELEMENT ?? 1));
        }
        return Reflect.construct(target as unknown as () => void, args, newTarget);
      },
    });
  }
  return {
    get largest() {
      return largest;
    },
    reset: () => largest = 0,
    [Symbol.dispose]() {
      for (const [name, type] of real) names[name] = type;
    },
  };
}
