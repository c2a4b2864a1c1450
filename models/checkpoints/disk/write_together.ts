/**
 * Several files that are one thing: written beside their places first, then named together, the one that makes them whole last.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { attempting } from "./attempt.ts";
import { makePartFolder, openPart, type PartFile, writeChunks } from "./file_parts.ts";
import { syncFolder } from "./files.ts";
import type { PlacedBytes } from "./placed_bytes.ts";

/** One of several files. */
export interface FileToWrite {
  /** Where it is to lie. */
  readonly path: string;
  /** One behind the other, or wherever they say. */
  readonly chunks: AsyncIterable<Uint8Array | PlacedBytes>;
}

/**
 * Writes files of one folder that make no sense alone, such as the parts of a split model. None has its name before all are written; where
 * they replace older ones, the first, which names the whole, is gone meanwhile: never do old and new ones stand for one model.
 *
 * @throws What `chunks` or the disk throws; nothing then has changed
 */
export async function writeFilesTogether(files: readonly FileToWrite[]): Promise<void> {
  const parts: (PartFile & { readonly path: string })[] = [];
  try {
    for (const { path, chunks } of files) {
      await attempting({ what: "write", path }, async () => {
        const part = { ...await openPart(path), path };
        parts.push(part);
        await writeChunks(part.file, chunks);
        await part.file.sync();
      });
    }
    const [first, ...others] = parts;
    await settle([...others, first].map(({ part, path }) => ({ from: part, to: path })));
  } finally {
    for (const { part, file } of parts) {
      file.close();
      await Deno.remove(part).catch(() => {});
    }
  }
}

/**
 * Makes a folder of files whole: `write` gets an empty one to write into, which becomes `path`. Where `path` is a folder already, the files go
 * into it together, as those of {@linkcode writeFilesTogether} do, `last` at the end.
 *
 * @param last The name of the file that makes the folder what it is
 * @throws What `write` or the disk throws; nothing then has changed
 */
export async function writeFolderWhole<T>(
  path: string,
  last: string,
  write: (folder: string) => Promise<T>,
): Promise<T> {
  return await attempting({ what: "write the folder", path }, async () => {
    const target = resolve(path);
    const there = await Deno.stat(target).then(({ isDirectory }) => isDirectory, () => false);
    if (!there) await Deno.mkdir(dirname(target), { recursive: true });
    using stage = await makePartFolder(there ? join(target, basename(target)) : target);
    const result = await write(stage.part);
    await syncFolder(stage.part);
    if (there) {
      // Held until all have their names: what a killed process leaves of it is removed by the next.
      const names = await stage.names();
      names.sort((a, b) => Number(a === last) - Number(b === last));
      await settle(names.map((name) => ({ from: join(stage.part, name), to: join(target, name) })));
    } else {
      await stage.finish();
      await Deno.rename(stage.part, target);
      await syncFolder(dirname(target));
    }
    return result;
  });
}

/** Gives files of one folder their names, the last of them last; what had that name is gone before. */
async function settle(moves: readonly { readonly from: string; readonly to: string }[]) {
  const { to: whole } = moves[moves.length - 1];
  const replaced = await Deno.remove(whole).then(() => true, () => false);
  if (replaced) await syncFolder(dirname(whole));
  for (const { from, to } of moves) {
    // A folder takes the place of no other that has something in it.
    if ((await Deno.stat(from)).isDirectory) {
      await Deno.remove(to, { recursive: true }).catch(() => {});
    }
    await Deno.rename(from, to);
  }
  await syncFolder(dirname(whole));
}
