/** The style of /docs: one sheet, light and dark, nothing fetched. */
export const DOCS_STYLE = `
:root{--paper:#fff;--tint:#f6f7f9;--ink:#1c2330;--soft:#5b6575;--line:#e4e7ec;--accent:#0b6e5f;
--get:#1d6fd1;--post:#0b7f5b;--put:#a15c07;--patch:#7b4bc4;--delete:#c0332b;
--code:#111826;--code-ink:#d7deea;--k:#8fc7ff;--s:#a5e3b5;--n:#ffc48a;--w:#e3a6ff}
@media(prefers-color-scheme:dark){:root{--paper:#12161d;--tint:#191f29;--ink:#e6eaf1;--soft:#98a3b5;
--line:#2a3240;--accent:#4fd1b8;--get:#6fb0ff;--post:#4fd19b;--put:#f0b160;--patch:#c0a0f5;
--delete:#ff8a80;--code:#0b0f16}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:1.5rem}
body{margin:0;background:var(--paper);color:var(--ink);display:grid;grid-template-columns:17rem minmax(0,1fr);
font:15px/1.6 system-ui,-apple-system,"Segoe UI","PingFang SC","Noto Sans CJK SC",Roboto,sans-serif}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
code,pre,.path,.type{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{overflow-wrap:anywhere;font-size:.88em;background:var(--tint);border-radius:4px;padding:.1em .35em}
nav{position:sticky;top:0;height:100vh;overflow-y:auto;border-right:1px solid var(--line);
background:var(--tint);padding:1.6rem 1.1rem 3rem;font-size:13.5px}
nav .name{font-size:1.25rem;font-weight:700;letter-spacing:-.01em;display:block;color:var(--ink)}
nav h2{font-size:11px;letter-spacing:.08em;text-transform:uppercase;color:var(--soft);margin:1.5rem 0 .35rem}
nav ul{list-style:none;margin:0;padding:0}
nav li a{display:flex;gap:.5rem;align-items:baseline;padding:.18rem .4rem;border-radius:6px;color:var(--ink)}
nav li a:hover{background:var(--line);text-decoration:none}
nav .method{font-size:9.5px;width:3.1rem;flex:none;text-align:right;background:none;color:var(--tone);padding:0}
main{padding:2.6rem 3rem 6rem;max-width:82rem}
h1{font-size:2.1rem;line-height:1.2;letter-spacing:-.02em;margin:0 0 .6rem}
main>h2{font-size:1.4rem;letter-spacing:-.01em;margin:3.4rem 0 1rem;padding-bottom:.4rem;border-bottom:1px solid var(--line)}
h4 a{text-transform:none;letter-spacing:0}h4{font-size:12px;text-transform:uppercase;letter-spacing:.06em;color:var(--soft);margin:1.3rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}.lead{font-size:1.08rem;color:var(--soft)}
.operation{display:grid;grid-template-columns:minmax(0,1.15fr) minmax(0,1fr);gap:1.2rem 2.2rem;
padding:1.8rem 0;border-bottom:1px solid var(--line)}
.operation h3{margin:0 0 .5rem;font-size:1.1rem}
.address{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;margin-bottom:.5rem}
.method{--tone:var(--get);font-size:11px;font-weight:700;letter-spacing:.04em;text-transform:uppercase;color:#fff;
background:var(--tone);border-radius:5px;padding:.15rem .5rem}
@media(prefers-color-scheme:dark){.method{color:#0b0f16}nav .method{color:var(--tone)}}
.post{--tone:var(--post)}.put{--tone:var(--put)}.patch{--tone:var(--patch)}.delete{--tone:var(--delete)}
.path{font-size:14px;font-weight:600;overflow-wrap:anywhere}
.chip{font-size:11.5px;border:1px solid var(--line);border-radius:99px;padding:0 .6rem;color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:13.5px}
td,th{text-align:left;vertical-align:top;padding:.4rem .8rem .4rem 0;border-top:1px solid var(--line)}
th{font-size:12px;color:var(--soft);font-weight:600;border-top:0}
.type{font-size:12.5px;color:var(--soft);overflow-wrap:anywhere}
.fields td:nth-child(1){width:34%}.fields td:nth-child(2){width:33%}
.mark{font-size:10.5px;color:var(--soft);margin-left:.45rem}.required{color:var(--delete)}
pre{background:var(--code);color:var(--code-ink);border-radius:10px;padding:1rem 1.1rem;margin:0 0 .9rem;
font-size:12.5px;line-height:1.55;white-space:pre-wrap;overflow-wrap:anywhere}
.sample{position:sticky;top:1.5rem;align-self:start;min-width:0}
.sample .label{font-size:11.5px;color:var(--soft);margin:0 0 .3rem;display:block}
.k{color:var(--k)}.s{color:var(--s)}.n{color:var(--n)}.w{color:var(--w)}
.codes{display:flex;flex-wrap:wrap;gap:.35rem;margin:.2rem 0}
.codes a{font-size:12px;font-family:ui-monospace,Menlo,Consolas,monospace;background:var(--tint);border-radius:5px;padding:.05rem .45rem}
.codes b{color:var(--soft);font-weight:600}
details{margin-top:.9rem}summary{cursor:pointer;font-size:13px;color:var(--accent)}
.schema{padding:1.2rem 0;border-bottom:1px solid var(--line)}.schema h3{margin:0 0 .5rem;font-size:1rem}
.grid{display:grid;grid-template-columns:minmax(0,1.15fr) minmax(0,1fr);gap:1.2rem 2.2rem}
@media(max-width:62rem){body{display:block}nav{position:static;height:auto;border-right:0}
main{padding:1.6rem 1.2rem}.operation,.grid{grid-template-columns:minmax(0,1fr)}}
`;
