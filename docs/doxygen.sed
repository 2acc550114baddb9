s/^inline namespace FUNNEL_ABI {$//
s/^}  \/\/ namespace FUNNEL_ABI$//
s/^\( *\/\/\/ \)\(Shapes\|Returns\|Cost\|Errors\|Source\)   */\1<br>**\2** \&ensp;/
s/^\(.*\/\/\/<\{0,1\}  *\)> /\1\&gt; /
