"""Words that say nothing by themselves, in the languages that surveys are often in."""

from __future__ import annotations

from persona.personas.generate.words import FILLERS

_PIECES = "don isn aren wasn weren hasn haven hadn doesn didn couldn wouldn shouldn won ain ve re ll"
_ENGLISH = """
    able add added adding answer ask asked asking available based big call called came case check clear clearly
    click come comes coming common complete completely couple current currently deal depend depends difficult
    directly during easier easily else end entire especially etc everytime exactly example extra fact fairly
    feel feels figure find finding full fully general generally gives happy hear helpful helps hope idea
    important including instead interesting issue issues kinda know knowing likely line list long longer main
    mainly matter means mention move moved moving multiple name near nearly number often otherwise overall
    particular point possible prefer pretty prob probably problem problems provide quick quickly quite reason
    reasons recently regular regularly related remember said second seen short show similar simple simply single
    situation slightly somewhat soon specific start starting step talk tend terms think thinking though thus
    total totally turn type types usual usually various version view way ways word words work working worked
    world wrong
"""
_OTHERS = """
    aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da dabei
    dadurch dafür damit danach dann das dass dein deine dem den denn der des dich die dies diese diesem diesen
    dieser dieses dir doch dort durch eher ein eine einem einen einer eines einfach er es etwas euch für ganz
    gar geht gern gibt gut habe haben hat hatte hätte hier hin ich ihm ihn ihnen ihr ihre im immer in ins ist ja
    jede jeden jeder jetzt kann kein keine können könnte machen macht mal man manchmal mehr mein meine meinem
    meinen meiner meist mich mir mit muss müssen nach nicht nichts noch nun nur ob oder oft ohne schon sehr sein
    seine sich sie sind so soll sollte sondern sonst über um und uns unser unter viel viele vielleicht vom von
    vor wann war waren warum was weil wenn wer werden wie wieder wir wird wo wurde wäre würde zu zum zur zwar
    zwischen alors aussi autre autres avant avec avoir beaucoup bien car ce cela ces cette ceux chaque chez
    comme dans de depuis donc du elle elles en encore entre est et être eux fait faire faut ils je jamais la le
    les leur leurs lui mais me même mes moi moins mon ne nos notre nous on ou où par parce parfois pas peu peut
    plus plutôt pour pourquoi pouvoir quand que quel quelle qui quoi sa sans se ses si son sont souvent sur ta
    te tous tout toute toutes toujours très trop tu un une vers vos votre vous était algo algunas algunos antes
    aunque cada casi como con contra cosas cual cuando cuándo del desde donde dos el ella ellas ellos era esa
    ese eso esta están estar estas este esto estoy está fue gente ha hace hacer hacia hasta hay las lo los más
    menos mi mis mismo mucha mucho muchos muy nada ni nosotros o otra otras otro otros para pero poco por porque
    puede puedo pues qué quien ser sí siempre sin sobre su sus también tan tanto tener tengo tiene todas todo
    todos una unas uno unos y ya yo abbastanza alla allo anche ancora avere bene che chi ci come così cosa cui
    dai dal dalla delle della degli dei dello di dopo dove due e è essere fare fatto gli hanno ho il io lei loro
    ma mai meno mia mio molte molti molto nei nel nella non noi nostro ogni per perché però più poi può qualche
    quale quando quanto quello quella questa queste questi questo sempre senza sia sono spesso sta sua sul sulla
    suo tra tutte tutti tutto vi voi ainda além alguma alguns ao aos apenas as assim até boa bom coisa coisas
    com dele depois dessa desse desta deste do ela elas ele eles em essa esse estão estou eu foi fazer faz há
    isso isto já lá mas mesmo meu meus minha muita muitas muito muitos na não nas nem no nossa nosso num numa
    onde os outra outras outro outros pela pelo pessoas pode pouco qual quem sem seu seus só suas também tem
    tenho ter toda tudo uma umas vez você aan al altijd bij ben beter bijvoorbeeld dan dat deze dit doen door
    dus echt een eens elke erg even gaan gaat geen goed haar heb hebben heeft heel het hij hoe hun iets ik is
    jij kan komen kunnen maar maken meer meestal men met mij mijn misschien moet moeten mogelijk naar niet niets
    nog nooit nu of omdat onder ons onze ook op over soms tijd toch toen tot tussen uit uw van vaak veel vind
    voor waar waarom wanneer want wat we weer weinig wel werd wij worden wordt ze zeer zelf zich zij zijn zo
    zonder zou
"""
_STOPWORDS = FILLERS | frozenset(f"{_PIECES} {_ENGLISH} {_OTHERS}".split())


def is_stopword(word: str) -> bool:
    """Say whether a word in small letters says nothing by itself."""
    return word in _STOPWORDS or word.removesuffix("s") in FILLERS
