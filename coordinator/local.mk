# coordinator
