/**
 * Links in a model's folder. A cloned or unpacked folder can bring links to anything: to a key, to a token. What is read through one becomes a part
 * of whatever is written from the model.
 *
 * @module
 */
import { basename, dirname, join, SEPARATOR } from "@std/path";

/** Tells the links out of a folder from its own files. */
export class FolderLinks {
  readonly #folder: string;
  readonly #own: readonly string[];
  /** Whether the folder is one of links, as data stores and `cp -rs` make them: its `config.json` is one. */
  readonly ofLinks: boolean;

  private constructor(folder: string, own: readonly string[], ofLinks: boolean) {
    this.#folder = folder;
    this.#own = own;
    this.ofLinks = ofLinks;
  }

  /** Looks at a folder. What lies in it is its own; for a snapshot of a hub's cache also the blobs that its snapshots share. */
  static async of(folder: string): Promise<FolderLinks> {
    const own = await Deno.realPath(folder);
    const snapshots = dirname(own);
    const folders = basename(snapshots) === "snapshots"
      ? [own, join(dirname(snapshots), "blobs")]
      : [own];
    const links = new FolderLinks(folder, folders, false);
    return new FolderLinks(folder, folders, await links.leadsOut("config.json"));
  }

  /** Whether a name is a link out of the folder; a link that leads nowhere is one, what is not there is none. */
  async leadsOut(name: string): Promise<boolean> {
    const path = join(this.#folder, name);
    const real = await Deno.realPath(path).catch(() => undefined);
    if (real !== undefined) return !this.#own.some((own) => real.startsWith(own + SEPARATOR));
    return await Deno.lstat(path).then(({ isSymlink }) => isSymlink, () => false);
  }

  /** Whether a file that a model needs comes from elsewhere than the model: a link out, where `config.json` is none. */
  async isForeign(name: string): Promise<boolean> {
    return !this.ofLinks && await this.leadsOut(name);
  }

  /** @throws {RangeError} For the first of `names` that {@linkcode FolderLinks.isForeign} */
  async assertOwn(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const info = await Deno.stat(join(this.#folder, name)).catch(() => undefined);
      // What is a device or a pipe whoever opens it says.
      if (info && !info.isFile && !info.isDirectory || !await this.isForeign(name)) continue;
      throw new RangeError(
        `Cannot read "${
          join(this.#folder, name)
        }": it is a link that points outside the model's folder, although config.json is not, and its target would become part of everything made from the model. Replace the link with the file itself, or remove it`,
      );
    }
  }
}
