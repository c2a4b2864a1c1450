/**
 * Links in a model's folder. A folder that was cloned or unpacked may contain links to anything, such as a key or a token. What is read through a
 * link becomes part of everything that is written from the model.
 *
 * @module
 */
import { basename, dirname, join, SEPARATOR } from "@std/path";

/** Tells links that point outside a folder apart from the folder's own files. */
export class FolderLinks {
  readonly #folder: string;
  readonly #own: readonly string[];
  /** Whether the folder consists of links, as created by data stores and `cp -rs`. True if its `config.json` is such a link. */
  readonly ofLinks: boolean;

  private constructor(folder: string, own: readonly string[], ofLinks: boolean) {
    this.#folder = folder;
    this.#own = own;
    this.ofLinks = ofLinks;
  }

  /** Examines a folder. Its own files are those inside it and, for a snapshot in a hub cache, the blobs that the snapshots share. */
  static async of(folder: string): Promise<FolderLinks> {
    const own = await Deno.realPath(folder);
    const snapshots = dirname(own);
    const folders = basename(snapshots) === "snapshots"
      ? [own, join(dirname(snapshots), "blobs")]
      : [own];
    const links = new FolderLinks(folder, folders, false);
    return new FolderLinks(folder, folders, await links.leadsOut("config.json"));
  }

  /** Whether a name is a link that points outside the folder. True for broken links, false if nothing has this name. */
  async leadsOut(name: string): Promise<boolean> {
    const path = join(this.#folder, name);
    const real = await Deno.realPath(path).catch(() => undefined);
    if (real !== undefined) return !this.#own.some((own) => real.startsWith(own + SEPARATOR));
    return await Deno.lstat(path).then(({ isSymlink }) => isSymlink, () => false);
  }

  /** Whether a file that the model needs comes from outside: it is a link that points outside the folder, and `config.json` is not. */
  async isForeign(name: string): Promise<boolean> {
    return !this.ofLinks && await this.leadsOut(name);
  }

  /** @throws {RangeError} when one of `names` is foreign ({@linkcode FolderLinks.isForeign}). The message gives the first of them. */
  async assertOwn(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const info = await Deno.stat(join(this.#folder, name)).catch(() => undefined);
      // Devices and pipes are rejected when they are opened.
      if (info && !info.isFile && !info.isDirectory || !await this.isForeign(name)) continue;
      throw new RangeError(
        `Cannot read "${
          join(this.#folder, name)
        }": it is a link that points outside the model's folder, although config.json is not, and its target would become part of everything made from the model. Replace the link with the file itself, or remove it`,
      );
    }
  }
}
