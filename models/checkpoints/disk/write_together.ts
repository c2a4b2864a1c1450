/**
 * Writes several files that belong together: under temporary names first, then all are renamed, with the one that completes the set last.
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
  /** Final path. */
  readonly path: string;
  /** The contents in order, or chunks that give their own offsets. */
  readonly chunks: AsyncIterable<Uint8Array | PlacedBytes>;
}

/**
 * Writes files of one folder that are useless on their own, such as the parts of a split model. No file gets its final name before all are written.
 * If older files are replaced, the first one, which identifies the set, is removed in the meantime, so that a mixture of old and new files can never
 * be taken for a model.
 *
 * @throws Any error of `chunks` or the disk. An error while writing leaves everything unchanged.
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
 * Creates a folder of files as a whole: `write` fills an empty folder, which then becomes `path`. If `path` is an existing folder, the files are
 * moved into it together, as by {@linkcode writeFilesTogether}, with `last` at the end.
 *
 * @param last Name of the file that makes the folder complete.
 * @throws Any error of `write` or the disk. An error while writing leaves everything unchanged.
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
      // Not disposed before all files are renamed: if this process is killed, the next one removes what is left of it.
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

/** Renames files to their final names in one folder. What has the name of the last file is removed first. */
async function settle(moves: readonly { readonly from: string; readonly to: string }[]) {
  const { to: whole } = moves[moves.length - 1];
  const replaced = await Deno.remove(whole).then(() => true, () => false);
  if (replaced) await syncFolder(dirname(whole));
  for (const { from, to } of moves) {
    // A folder cannot be renamed to one that is not empty.
    if ((await Deno.stat(from)).isDirectory) {
      await Deno.remove(to, { recursive: true }).catch(() => {});
    }
    await Deno.rename(from, to);
  }
  await syncFolder(dirname(whole));
}
