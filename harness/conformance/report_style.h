// Style and script of the conformance page.
#pragma once

namespace assay::conformance {

inline constexpr const char* kReportStyle = R"css(
:root{--ink:#1b1f24;--paper:#fff;--soft:#f3f4f6;--line:#d5d9df;--dim:#5a6572;--good:#136f3a;--bad:#b3261e;--note:#8a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#14171b;--soft:#1f242a;--line:#39414b;--dim:#9aa5b1;--good:#5fcf8b;--bad:#ff8a80;--note:#e6b450}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"Noto Sans SC","PingFang SC","Microsoft YaHei",sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:0 auto;padding:1.5rem}
html[lang=zh] span[lang=en],html[lang=en] span[lang=zh]{display:none}
#language{float:right;font:inherit;background:var(--soft);color:var(--ink);border:1px solid var(--line);border-radius:4px;padding:.2rem .7rem;cursor:pointer}
h1{font-size:1.5rem;margin:0 0 .4rem}h2{font-size:1.1rem;margin:1.8rem 0 .5rem;border-bottom:1px solid var(--line)}
.stamp{font-size:1.2rem;font-weight:600;margin:.4rem 0;padding:.4rem .8rem;border-left:5px solid}
.who,.note{color:var(--dim);margin:.3rem 0}
.pass{color:var(--good)}.fail{color:var(--bad)}.unsupported{color:var(--dim)}.advice{color:var(--note)}
.tiles{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}
.tile{flex:1 1 9rem;background:var(--soft);border-radius:6px;padding:.6rem .9rem}.tile b{display:block;font-size:1.6rem;line-height:1.2}
table{border-collapse:collapse}td,th{padding:.2rem .55rem;text-align:left;vertical-align:top;font-variant-numeric:tabular-nums}
.coverage td{padding:.25rem .55rem}.bar{width:16rem}.bar i{display:block;height:.8rem;margin-top:.35rem;background:var(--good);border-radius:2px;min-width:1px}
.origin th{font-weight:500;color:var(--dim);white-space:nowrap}.origin td{overflow-wrap:anywhere}
.number{text-align:right}.matrix td{text-align:center;border:1px solid var(--line)}.matrix th{font-weight:500;font-size:.85rem}
.scroll{overflow-x:auto}details{border-bottom:1px solid var(--line);padding:.35rem 0}summary{cursor:pointer}
summary code{margin:0 .6rem;color:var(--dim);font-size:.85rem}.asks{color:var(--dim);font-size:.9rem}
.mark{display:inline-block;min-width:6.6rem;padding-right:.6rem;font-weight:600;white-space:nowrap}td.mark{display:table-cell}
.findings{font-size:.88rem;margin:.4rem 0 .6rem 1rem}.findings td{color:var(--ink);overflow-wrap:anywhere}.findings tr.fail td:first-child{color:var(--bad)}
.findings tr.pass td:first-child{color:var(--good)}.findings tr.advice td:first-child{color:var(--note)}.findings tr.unsupported td{color:var(--dim)}
@media(max-width:40rem){body{padding:1rem .6rem}.bar{width:6rem}.findings{margin-left:0}.matrix td,.matrix th{padding:.1rem .15rem;font-size:.72rem}.matrix th{width:5.4rem;min-width:4.6rem;max-width:5.4rem;overflow-wrap:anywhere}
.matrix tr:first-child th{writing-mode:vertical-rl;width:auto;min-width:0;white-space:nowrap}summary code,.asks,.mark{overflow-wrap:anywhere}}
@media print{body{max-width:none;padding:0;font-size:10pt}#language{display:none}h2,summary{break-after:avoid}tr{break-inside:avoid}.scroll{overflow:visible}.matrix{font-size:8pt}.matrix td,.matrix th{padding:.1rem .3rem}@page{size:A4;margin:14mm}}
)css";

inline constexpr const char* kReportScript = R"js(
const button=document.getElementById('language'),root=document.documentElement;
const set=l=>{root.lang=l;button.textContent=l==='zh'?'English':'中文'};
set(location.hash==='#en'||(location.hash!=='#zh'&&!navigator.language.startsWith('zh'))?'en':'zh');
button.onclick=()=>set(root.lang==='zh'?'en':'zh');
addEventListener('beforeprint',()=>document.querySelectorAll('details').forEach(d=>{if(d.querySelectorAll('tr').length<60)d.open=true}));
)js";

}  // namespace assay::conformance
