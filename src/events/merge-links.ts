/**
 * Who holds whose state, from the merge records of the log.
 *
 * A merge is written twice: in the log of `from` when its redirect is set, in the log of `member`
 * when it takes over. Only the second makes it real: until then each still holds its own state. In
 * one partition the first of the two is the redirect. `undone` ends a merge where it was real.
 */
import { partitionOf } from "../redis/keys.js";
import type { LoggedRecord } from "./log-reader.js";

interface Link {
  active: boolean;
  at: number;
}

export class MergeLinks {
  /** From → members it was ever merged into. */
  private readonly links = new Map<string, Map<string, Link>>();
  /** Set by the record in the log of `from`: where its redirect leads. */
  private readonly redirects = new Map<string, string>();
  /** Everybody a member was ever linked with directly, either way. */
  private readonly neighbours = new Map<string, Set<string>>();

  /** Takes the merge records of a partition in log order; other records are ignored. */
  add({ partition, record }: LoggedRecord): void {
    if (record.kind !== "merge") return;
    const { member, from, at, undone } = record;
    this.connect(member, from);
    this.connect(from, member);
    const inSource = partitionOf(from) === partition;
    const inTarget = partitionOf(member) === partition;
    const isRedirect = inSource && (!inTarget || !this.redirects.has(from));
    if (undone === true) {
      if (inSource) this.redirects.delete(from);
      if (inTarget) this.linkOf(from, member).active = false;
    } else if (isRedirect) {
      this.redirects.set(from, member);
    } else if (inTarget) {
      Object.assign(this.linkOf(from, member), { active: true, at });
    }
  }

  /** Whether a merge record ever named this member. */
  has(id: string): boolean {
    return this.neighbours.has(id);
  }

  /** The member this one was merged into and not taken out of again; null: it stands for itself. */
  parentOf(id: string): string | null {
    let parent: string | null = null;
    let latest = Number.NEGATIVE_INFINITY;
    for (const [member, { active, at }] of this.links.get(id) ?? []) {
      if (active && at >= latest) [parent, latest] = [member, at];
    }
    return parent;
  }

  /** The member that holds the state of what was addressed to `id`. */
  holderOf(id: string): string {
    const seen = new Set([id]);
    let holder = id;
    for (let parent = this.parentOf(id); parent !== null; parent = this.parentOf(parent)) {
      if (seen.has(parent)) break;
      seen.add(parent);
      holder = parent;
    }
    return holder;
  }

  /** An un-merge is under way: the redirect is gone, the state has not been given back yet. */
  isLeaving(id: string): boolean {
    return this.parentOf(id) !== null && !this.redirects.has(id);
  }

  /** A redirect that nobody has taken over from yet. */
  pendingRedirectOf(id: string): string | null {
    return this.parentOf(id) === null ? (this.redirects.get(id) ?? null) : null;
  }

  /** `id` and all who were ever linked with it, directly or not, sorted. */
  componentOf(id: string): string[] {
    const component = new Set([id]);
    for (const member of component) {
      for (const neighbour of this.neighbours.get(member) ?? []) component.add(neighbour);
    }
    return [...component].sort();
  }

  /** Every member any merge record named. */
  members(): Iterable<string> {
    return this.neighbours.keys();
  }

  private connect(a: string, b: string): void {
    const known = this.neighbours.get(a);
    if (known === undefined) this.neighbours.set(a, new Set([b]));
    else known.add(b);
  }

  private linkOf(from: string, member: string): Link {
    let links = this.links.get(from);
    if (links === undefined) {
      links = new Map();
      this.links.set(from, links);
    }
    let link = links.get(member);
    if (link === undefined) {
      link = { active: false, at: 0 };
      links.set(member, link);
    }
    return link;
  }
}
