s/funnel::inline FUNNEL_ABI/funnel/
s/^\( *\/\/\/ \)\(Shapes\|Returns\|Cost\|Errors\|Source\)   */\1<br>**\2** \&ensp;/
